import { NodeBlocking } from "@effect-blocking/platform-node"
import { assert, describe, it, vi } from "@effect/vitest"
import { Cause, Effect, Exit, Logger, Option, Queue } from "effect"
import { JoinError, Task } from "effect-blocking"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { inspect } from "node:util"
import * as errors from "./fixtures/errors.ts"
import * as schemas from "./fixtures/schemas.ts"
import * as tasks from "./fixtures/tasks.ts"
import { closeable, reasonOf, withPool } from "./utils/pool.ts"

// Some start processes.
vi.setConfig({ testTimeout: 20_000 })

describe.each(["thread", "process"] as const)("isolation: %s", { concurrent: false }, (isolation) => {
  describe("domain errors", () => {
    it.live("E1: a Result becomes success and failure", () =>
      withPool({ isolation }, (pool) =>
        Effect.gen(function*() {
          assert.strictEqual(yield* pool.run(tasks.halve, 8), 4)
          assert.deepStrictEqual(yield* Effect.flip(pool.run(tasks.halve, 3)), { _tag: "Odd", n: 3 })
          const caught = yield* pool.run(tasks.halve, 3).pipe(Effect.catchTag("Odd", ({ n }) => Effect.succeed(-n)))
          assert.strictEqual(caught, -3)
        })))

    it.live("E1: an error arrives with tag, fields, message, stack and cause", () =>
      withPool({ isolation }, (pool) =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(pool.run(errors.find, 7))
          assert.instanceOf(error, Error)
          assert.isFalse(error instanceof errors.NotFound)
          assert.deepInclude(error, {
            _tag: "NotFound",
            name: "NotFound",
            message: "no user 7",
            id: 7,
            at: new Date(0)
          })
          assert.include(error.stack, "fixtures/errors.ts")
          assert.instanceOf(error.cause, RangeError)
          assert.strictEqual((error.cause as Error).message, "row missing")
        })))

    it.live("E1: a tagged error of Effect can be yielded, whether or not its class is in `errors`", () =>
      withPool({ isolation }, (pool) =>
        Effect.gen(function*() {
          for (const task of [errors.find, errors.findWithClass]) {
            const again = yield* pool.run(task, 7).pipe(
              Effect.catchTag("NotFound", (error) => error),
              Effect.flip
            )
            assert.deepInclude(again, { _tag: "NotFound", message: "no user 7", id: 7 })
          }
        })))

    it.live("E1: with `errors` it is an instance of its class again", () =>
      withPool({ isolation }, (pool) =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(pool.run(errors.findWithClass, 7))
          assert.instanceOf(error, errors.NotFound)
          assert.deepInclude(error, { _tag: "NotFound", message: "no user 7", id: 7, at: new Date(0) })
          const original = new errors.NotFound({ id: 7, at: new Date(0) })
          // The body has assigned its cause, which is enumerable then.
          assert.sameMembers(Object.keys(error), [...Object.keys(original), "cause"])
          assert.deepStrictEqual(yield* Effect.exit(error), Exit.fail(error), "it is an Effect again")
        })))

    it.live("E1: with Task.schema values and errors keep their classes, both ways", () =>
      withPool({ isolation }, (pool) =>
        Effect.gen(function*() {
          const since = Option.some(new Date(5))
          const user = yield* pool.run(schemas.find, { id: 3, since })
          assert.instanceOf(user, schemas.User)
          assert.deepStrictEqual([user.label, user.born.getTime()], ["user 3", 5])
          const error = yield* Effect.flip(pool.run(schemas.find, { id: 0, since: Option.none() }))
          assert.instanceOf(error, schemas.NoSuchUser)
          assert.strictEqual(error.id, 0)
        })))

    it.live("S4: a value that does not fit its schema is NotCloneable, with its path", () =>
      withPool({ isolation }, (pool) =>
        Effect.gen(function*() {
          const argument = yield* reasonOf(pool.run(schemas.find, { id: 1.5, since: Option.none() }))
          assert.deepInclude(argument, { _tag: "NotCloneable", side: "argument", path: "arguments[0].id" })
          assert.strictEqual((yield* pool.stats).threadsStarted, 0)
          const success = yield* reasonOf(pool.run(schemas.wrong))
          assert.deepInclude(success, { _tag: "NotCloneable", side: "success", path: "result" })
        })))
  })

  describe("panics", () => {
    const thrownBy = (pool: Parameters<Parameters<typeof withPool>[1]>[0], kind: string) =>
      Effect.map(reasonOf(pool.run(errors.panic, kind)), (reason) => {
        assert.strictEqual(reason._tag, "Panicked")
        return (reason as JoinError.Panicked).thrown
      })

    it.live("E2: a thrown value of any kind arrives whole", () =>
      withPool({ isolation, maxThreads: 1 }, (pool) =>
        Effect.gen(function*() {
          const typeError = (yield* thrownBy(pool, "typeError")) as TypeError & { readonly code: string }
          assert.instanceOf(typeError, TypeError)
          assert.deepInclude(typeError, { name: "TypeError", message: "bad type", code: "E_BAD" })
          assert.strictEqual((typeError.cause as Error).message, "inner")
          assert.include(typeError.stack, "fixtures/errors.ts")
          assert.notInclude(typeError.stack, "ThreadRunner")

          const custom = yield* thrownBy(pool, "custom")
          assert.instanceOf(custom, Error)
          assert.deepInclude<object>(custom, { name: "HttpError", message: "busy", status: 503 })

          assert.deepStrictEqual(yield* thrownBy(pool, "object"), { reason: "plain" })
          assert.strictEqual(yield* thrownBy(pool, "string"), "just text")
          assert.strictEqual(yield* thrownBy(pool, "undefined"), undefined)
          assert.strictEqual(yield* thrownBy(pool, "nothing"), null)

          const withFunction = (yield* thrownBy(pool, "withFunction")) as Error & { readonly retry: unknown }
          assert.strictEqual(withFunction.message, "has a callback")
          assert.include(withFunction.retry, "function \"retry\"")

          const cyclic = (yield* thrownBy(pool, "cyclic")) as Error
          assert.strictEqual(cyclic.cause, cyclic)

          const aggregate = (yield* thrownBy(pool, "aggregate")) as AggregateError
          assert.instanceOf(aggregate, AggregateError)
          assert.deepStrictEqual(aggregate.errors.map((_) => (_ as Error).message), ["first", "second"])
          assert.instanceOf(aggregate.errors[1], TypeError)
          assert.strictEqual((yield* pool.stats).threadsStarted, 1, "no panic costs a thread")
        })))

    it.live("E2: a panic of a class in `errors` is an instance of it", () =>
      withPool({ isolation }, (pool) =>
        Effect.gen(function*() {
          const reason = yield* reasonOf(pool.run(errors.panicWithClass))
          assert.instanceOf((reason as JoinError.Panicked).thrown, errors.HttpError)
        })))

    it.live("E2: a printed JoinError shows the failure, and no internal field", () =>
      withPool({ isolation }, (pool) =>
        Effect.gen(function*() {
          const error = yield* Effect.flip(pool.run(errors.panic, "typeError"))
          assert.isTrue(JoinError.isJoinError(error))
          assert.match(inspect(error), /_tag: 'JoinError',\n {2}task: 'panic',(.*\n)*.*TypeError: bad type/)
          assert.notInclude(inspect(error), "~effect-blocking")
        })))

    it.live("E2: a panic that was not joined is logged, a joined one is not", () =>
      Effect.gen(function*() {
        const { close, logged, pool } = yield* closeable({ maxThreads: 1, isolation })
        const joined = yield* pool.spawnDetached(errors.panic, "typeError")
        yield* Effect.flip(joined.join)
        assert.deepStrictEqual(logged, [])
        yield* pool.spawnDetached(errors.panic, "aggregate")
        yield* pool.awaitIdle
        yield* close
        assert.deepStrictEqual(logged, ["A task panicked, and its result has not been read yet"])
      }))

    it.live("E2: Cause.pretty shows the task's name and the body's own stack", () =>
      withPool({ isolation }, (pool) =>
        Effect.gen(function*() {
          const pretty = Cause.pretty(
            Exit.getCause(yield* Effect.exit(pool.run(errors.panic, "typeError"))).pipe(
              Option.getOrThrow
            )
          )
          assert.match(pretty, /^JoinError: Task "panic" \(#1, file:.*errors\.ts\) panicked: TypeError: bad type/)
          assert.match(pretty, /\[cause\]: TypeError: bad type\n.*fixtures\/errors\.ts:\d+/)
          assert.match(pretty, /\[cause\]: Error: inner/)
          const plain = Cause.pretty(
            Exit.getCause(yield* Effect.exit(pool.run(errors.panic, "object"))).pipe(
              Option.getOrThrow
            )
          )
          assert.include(plain, "panicked: {\"reason\":\"plain\"}")
        })))

    it.live("E3: a JoinError is handled apart from the domain error", () =>
      withPool({ isolation }, (pool) =>
        Effect.gen(function*() {
          const kept = yield* pool.run(tasks.halve, 3).pipe(
            Effect.catchTag("JoinError", () => Effect.succeed(0)),
            Effect.flip
          )
          assert.deepStrictEqual(kept, { _tag: "Odd", n: 3 })

          const panicking = pool.run(errors.panic, "string")
          const byReason = yield* panicking.pipe(
            Effect.catchReason("JoinError", "Panicked", ({ thrown }) => Effect.succeed(thrown))
          )
          assert.strictEqual(byReason, "just text")
          const byReasons = yield* panicking.pipe(Effect.catchReasons("JoinError", {
            QueueFull: () => Effect.succeed("full"),
            Panicked: () => Effect.succeed("panicked")
          }))
          assert.strictEqual(byReasons, "panicked")
          const unwrapped = yield* panicking.pipe(
            Effect.unwrapReason("JoinError"),
            Effect.catchTag("Panicked", () => Effect.succeed("unwrapped"))
          )
          assert.strictEqual(unwrapped, "unwrapped")
          assert.isTrue(JoinError.isJoinError(yield* Effect.flip(panicking)))
        })))
  })

  describe("uncaught errors", () => {
    it.live("F2: an error that a task leaves behind costs no other task, and is logged with the task's name", () =>
      Effect.gen(function*() {
        const logged = yield* Queue.unbounded<string>()
        const logger = Logger.make(({ message }) => {
          Queue.offerUnsafe(logged, (message as ReadonlyArray<unknown>).map(String).join(" "))
        })
        yield* Effect.scoped(Effect.gen(function*() {
          const pool = yield* NodeBlocking.make("test", { isolation, maxThreads: 1 })
          const thread = yield* pool.run(tasks.whereAmI)
          yield* pool.run(tasks.leavesErrors)
          const lines = [yield* Queue.take(logged), yield* Queue.take(logged)].sort()
          assert.match(lines[0]!, /the last task there was "leavesErrors" Error: late rejection/)
          assert.match(lines[1]!, /the last task there was "leavesErrors" Error: late throw/)
          assert.strictEqual(yield* pool.run(tasks.whereAmI), thread)
        })).pipe(Effect.provide(Logger.layer([logger])))
      }))
  })

  describe("bad input", () => {
    it.live("F3: a module that does not load fails its tasks with LoadFailed, and others go on", () =>
      withPool({ isolation, maxThreads: 1 }, (pool) =>
        Effect.gen(function*() {
          const { early } = yield* Effect.promise(() => import("./fixtures/broken.ts"))
          for (let i = 0; i < 2; i++) {
            const reason = yield* reasonOf(pool.run(early))
            assert.strictEqual(reason._tag, "LoadFailed")
            assert.deepInclude(reason, { url: early.module, names: ["early"] })
            assert.include(reason.message, "could not be loaded: Error: this module does not load")
          }
          assert.strictEqual(yield* pool.run(tasks.add, 1, 1), 2)
          assert.strictEqual((yield* pool.stats).threadsStarted, 1)
        })))

    it.live("F3: a task that its module does not define in a pool thread fails with the names that exist", () =>
      withPool({ isolation }, (pool) =>
        Effect.gen(function*() {
          const { hidden } = yield* Effect.promise(() => import("./fixtures/hidden.ts"))
          const reason = yield* reasonOf(pool.run(hidden!))
          assert.deepInclude(reason, { _tag: "LoadFailed", names: ["shown"] })
          assert.include(reason.message, "defines only \"shown\"")
        })))

    it.live("F3: a missing module fails with LoadFailed, by its url", () =>
      withPool({ isolation }, (pool) =>
        Effect.gen(function*() {
          const url = new URL("./fixtures/missing.ts", import.meta.url).href
          const reason = yield* reasonOf(pool.run(Task.make(url, "nothing", () => 1)))
          assert.deepInclude(reason, { _tag: "LoadFailed", url })
          assert.include(reason.message, "Cannot find module")
        })))

    it.live("F3: a module that only Vite could resolve fails with a hint at Node's resolution", () =>
      withPool({ isolation }, (pool) =>
        Effect.gen(function*() {
          const { aliased } = yield* Effect.promise(() => import("./fixtures/aliased.ts"))
          const reason = yield* reasonOf(pool.run(aliased))
          assert.strictEqual(reason._tag, "LoadFailed")
          assert.match(reason.message, /Cannot find package '@app\/alias'.* A pool thread loads modules as Node does/s)
        })))

    it.live("F3: a module that cannot be parsed fails with LoadFailed, with the place, or how to find it", () =>
      withPool({ isolation }, (pool) =>
        Effect.gen(function*() {
          const folder = yield* Effect.acquireRelease(
            Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-blocking-"))),
            (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
          )
          const messageOf = (name: string, source: string) => {
            const path = join(folder, name)
            writeFileSync(path, source)
            const { href } = pathToFileURL(path)
            return Effect.map(reasonOf(pool.run(Task.make(href, "t", () => 1))), ({ message }) => [message, href])
          }
          const [unparsed, url] = yield* messageOf("unparsed.mjs", "const a = 1\nconst b = = 2\n")
          assert.include(unparsed, "could not be loaded: SyntaxError: Unexpected token '='")
          // One or the other, by the version of Node.
          assert.isTrue(
            [` (${url}:2)`, `. To see where, run: node --import ${url} --eval 0`].some((end) => unparsed!.endsWith(end))
          )
          const [unlinked, other] = yield* messageOf("unlinked.mjs", "import { no } from \"node:fs\"\n")
          assert.include(unlinked, `does not provide an export named 'no' (${other}:1)`)
          const [thrown] = yield* messageOf("thrown.mjs", "JSON.parse(\"{x\")\n")
          assert.notInclude(thrown, "--import")
        })))

    it.live("F1: a thread that dies under a task fails it with WorkerExited, and others go on", () =>
      withPool({ isolation, maxThreads: 1 }, (pool) =>
        Effect.gen(function*() {
          const handles = [yield* pool.spawn(tasks.exit, 3), yield* pool.spawn(tasks.add, 1, 1)] as const
          assert.deepInclude(yield* reasonOf(handles[0].join), { _tag: "WorkerExited", exitCode: 3 })
          assert.strictEqual(yield* handles[1].join, 2)
        })))

    it.live("an option that the types would refuse is a defect that names task and option", () =>
      withPool({ isolation }, (pool) =>
        Effect.gen(function*() {
          const exit = yield* Effect.exit(pool.run(Task.with(tasks.add, { timeLimit: "soon" as "1 second" }), 1, 1))
          assert.include(Cause.pretty(Option.getOrThrow(Exit.getCause(exit))), "Task \"add\" has timeLimit soon")
          const noTask = yield* Effect.exit(pool.run({ name: "x" } as typeof tasks.add, 1, 1))
          assert.include(Cause.pretty(Option.getOrThrow(Exit.getCause(noTask))), "Only a task made by Task.make")
        })))
  })
})

describe("definitions", () => {
  const definitions: ReadonlyArray<readonly [what: string, define: () => unknown, message: RegExp]> = [
    ["no url", () => Task.make("hash.ts", "hash", () => 1), /import\.meta\.url, not hash\.ts/],
    [
      "a path",
      () => Task.make("/app/hash.cjs", "hash", () => 1),
      /not \/app\/hash\.cjs \(in CommonJS: pathToFileURL\(__filename\)\.href\)$/
    ],
    [
      "the missing url of a CommonJS module",
      () => Task.make(undefined as unknown as string, "hash", () => 1),
      /not undefined \(in CommonJS: .*; in a CommonJS bundle import\.meta\.url is undefined\)$/
    ],
    ["an empty name", () => Task.make(import.meta.url, "", () => 1), /needs a name/],
    [
      "an async body",
      () => Task.make(import.meta.url, "async", (async () => {}) as unknown as () => void),
      /task "async" must be a synchronous function, not AsyncFunction/
    ],
    ["no body", () => Task.make(import.meta.url, "none", undefined as unknown as () => void), /must be a function/],
    ["a name that is taken", () => {
      Task.make(import.meta.url, "twice", () => 1)
      Task.make(import.meta.url, "twice", () => 2)
    }, /Task "twice" is defined twice in file:.*: give each task its own name/],
    ["a name that is taken, in a function or a bundle,", () => {
      const define = () => Task.make(import.meta.url, "again", () => 1)
      return [define(), define()]
    }, /call it at the top level of the module\. A bundle is one module, so names must be unique in all of it$/]
  ]
  it.each(definitions)("a definition with %s throws a TaskDefinitionError", (_, define, message) => {
    try {
      define()
    } catch (error) {
      assert.instanceOf(error, Task.TaskDefinitionError)
      assert.match(error.message, message)
      return
    }
    assert.fail("it did not throw")
  })

  const typo = Task.make(import.meta.url, "typo", () => 1, { timelimit: 5 } as Task.TaskOptions)
  const text = Task.make(import.meta.url, "text", () => 1, "1 second" as Task.TaskOptions)
  const unlisted = Task.make(import.meta.url, "unlisted", () => 1, { errors: Error as never })
  const mistaken: ReadonlyArray<readonly [what: string, task: Task.Task<[], number, never, unknown>, message: string]> =
    [
      ["a misspelt option", typo, "Task \"typo\" has no option \"timelimit\"; did you mean \"timeLimit\"? (file:"],
      [
        "an unknown option",
        Task.with(tasks.promised as never, { timeout: 3 } as Task.DerivedOptions),
        "has no option \"timeout\". It has: timeLimit, queueTimeLimit, onInterrupt, gracePeriod, mandatory, errors, "
      ],
      [
        "options that are text",
        text,
        "Task \"text\" takes its options as an object, { timeLimit: … }, not \"1 second\""
      ],
      ["options that are a number", Task.with(typo, 5 as Task.DerivedOptions), "takes its options as an object"],
      [
        "text for mandatory",
        Task.with(tasks.promised as never, { mandatory: "yes" as unknown as boolean }),
        "has mandatory yes: it must be true or false"
      ],
      [
        "an unknown mode",
        Task.with(tasks.promised as never, { onInterrupt: "kill" as "stop" }),
        "has onInterrupt kill: it must be \"stop\", \"wait\" or \"abandon\""
      ],
      [
        "a class outside of a list",
        unlisted,
        "has errors function \"Error\": it must be an array of classes"
      ],
      [
        "a limit of NaN",
        Task.with(tasks.promised as never, { timeLimit: Number.NaN }),
        "has timeLimit NaN: it must be a duration, such as \"2 seconds\""
      ],
      [
        "a negative limit",
        Task.with(tasks.promised as never, { queueTimeLimit: "-1 seconds" }),
        "has queueTimeLimit -1 seconds: it must be a duration"
      ],
      [
        "a period with an invalid part",
        Task.with(tasks.promised as never, { gracePeriod: { seconds: Number.NaN } }),
        "has gracePeriod Object object: it must be a duration"
      ],
      [
        "an attribute that no span can have",
        Task.with(tasks.promised as never, { attributes: { user: {} as string } }),
        "has attributes Object object: it must be an object of strings, numbers and booleans"
      ]
    ]
  it.live.each(mistaken)(
    "a task with %s is a defect with a message about it",
    ([, task, message]) =>
      withPool({}, (pool) =>
        Effect.gen(function*() {
          const exit = yield* Effect.exit(pool.run(task as Task.Task<[], number>))
          assert.include(Cause.pretty(Option.getOrThrow(Exit.getCause(exit))), message)
          assert.strictEqual((yield* pool.stats).threadsStarted, 0)
        }))
  )
})
