import { BlockingTest } from "@effect-blocking/vitest"
import { assert, describe, it, vi } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Layer, Option } from "effect"
import { Blocking, JoinError, JoinSet, Task } from "effect-blocking"
import { TestClock } from "effect/testing"
import * as Tasks from "./fixtures/tasks.ts"

class Cpu extends Blocking.Pool<Cpu>()("app/Cpu") {}

/** The reason of a `JoinError`, of that kind. */
const reasonOf = <A, E, R, Tag extends JoinError.JoinErrorReason["_tag"]>(
  effect: Effect.Effect<A, E, R>,
  tag: Tag
): Effect.Effect<Extract<JoinError.JoinErrorReason, { readonly _tag: Tag }>, A, R> =>
  Effect.map(Effect.flip(effect), (error) => {
    if (!JoinError.isJoinError(error)) return assert.fail(`not a JoinError: ${String(error)}`)
    assert.strictEqual(error.reason._tag, tag)
    return error.reason as Extract<JoinError.JoinErrorReason, { readonly _tag: Tag }>
  })

const fork = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.forkChild(effect, { startImmediately: true })

const dies = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.exit(effect), (exit) => {
    if (Exit.isSuccess(exit)) return assert.fail("succeeded")
    return exit.cause.reasons.filter(Cause.isDieReason).map(({ defect }) => (defect as Error).message)
  })

describe("outcomes", () => {
  it.effect("a result", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* Blocking.run(Tasks.add, 1, 2), 3)
      const handle = yield* Blocking.spawn(Tasks.add, 3, 4)
      assert.strictEqual(yield* handle.join, 7)
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("E1: a domain error, an instance of its class", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Blocking.run(Tasks.half, 3))
      assert.instanceOf(error, Tasks.Odd)
      assert.strictEqual((error as Tasks.Odd).n, 3)
      assert.strictEqual(yield* Blocking.run(Tasks.half, 4), 2)
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("E2: a panic, with name, message, stack and cause", () =>
    Effect.gen(function*() {
      const { thrown } = yield* reasonOf(Blocking.run(Tasks.boom), "Panicked")
      assert.instanceOf(thrown, Error)
      assert.strictEqual((thrown as Error).name, "TypeError")
      assert.strictEqual((thrown as Error).message, "boom")
      assert.include((thrown as Error).stack!, "tasks.ts")
      assert.strictEqual(((thrown as Error).cause as Error).message, "deeper")
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("the values of a schema", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* Blocking.run(Tasks.parse, 2), new Date(2))
      assert.instanceOf(yield* Effect.flip(Blocking.run(Tasks.parse, 3)), Tasks.Odd)
      yield* BlockingTest.stub(Tasks.parse, () => new Date(99))
      assert.deepStrictEqual(yield* Blocking.run(Tasks.parse, 2), new Date(99))
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("S3: arguments and results are clones", () =>
    Effect.gen(function*() {
      const list = [1]
      const result = yield* Blocking.run(Tasks.push, list)
      assert.deepStrictEqual(result, [1, 1])
      assert.deepStrictEqual(list, [1])
      const again = yield* Blocking.run(Tasks.any, result)
      assert.notStrictEqual(again, result)
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("S3: Task.move detaches the caller's buffer", () =>
    Effect.gen(function*() {
      // To a thread that has yet to start, and to one that is idle.
      for (let i = 0; i < 2; i++) {
        const buffer = new ArrayBuffer(2)
        const filled = yield* Blocking.run(Tasks.fill, Task.move(buffer))
        assert.isTrue(buffer.detached)
        assert.deepStrictEqual(new Uint8Array(filled), new Uint8Array([7, 7]))
      }
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("shared memory stays shared", () =>
    Effect.gen(function*() {
      const memory = new SharedArrayBuffer(1)
      new Uint8Array((yield* Blocking.run(Tasks.any, memory)) as SharedArrayBuffer)[0] = 7
      assert.strictEqual(new Uint8Array(memory)[0], 7)
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("S4: what cannot cross is found, with its path", () =>
    Effect.gen(function*() {
      const argument = yield* reasonOf(Blocking.run(Tasks.any, { on: { done: () => {} } }), "NotCloneable")
      assert.strictEqual(argument.side, "argument")
      assert.strictEqual(argument.path, "arguments[0].on.done")
      const result = yield* reasonOf(Blocking.run(Tasks.leak), "NotCloneable")
      assert.strictEqual(result.side, "success")
      assert.strictEqual(result.path, "result.on.done")
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("a body is in a pool thread, and what is around it is not", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* Blocking.run(Tasks.context), { inThread: true, data: "eu" })
      assert.isFalse(Task.inPoolThread())
      assert.isUndefined(Task.threadData())
    }).pipe(Effect.provide(BlockingTest.layer({ threadData: { region: "eu" } }))))

  it.effect("a lease and a join set", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* Blocking.lease((thread) => thread.run(Tasks.add, 1, 1)), 2)
      const set = yield* JoinSet.make<number, never>()
      yield* JoinSet.spawn(set, Tasks.add, 1, 2)
      yield* JoinSet.spawn(set, Tasks.add, 3, 4)
      assert.deepStrictEqual(yield* JoinSet.joinAll(set), [3, 7])
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("P2: a pool that never runs a task has no thread", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* Blocking.stats).threadsStarted, 0)
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("an option that is out of range is a defect", () =>
    Effect.gen(function*() {
      const defects = yield* dies(Effect.provide(Blocking.stats, BlockingTest.layer({ maxThreads: 0 })))
      assert.deepStrictEqual(defects, ["BlockingTest: maxThreads must be an integer of at least 1, not 0"])
    }))

  const misnamed: ReadonlyArray<readonly [options: unknown, message: string]> = [
    [{ maxthreads: 2 }, "BlockingTest has no option \"maxthreads\"; did you mean \"maxThreads\"?"],
    [null, "BlockingTest takes its options as an object, { maxThreads: … }, not null"]
  ]
  it.effect.each(misnamed)(
    "options that no pool of a test has are a defect: %o",
    ([options, message]) =>
      Effect.gen(function*() {
        const layer = BlockingTest.layer(options as BlockingTest.Options)
        assert.deepStrictEqual(yield* dies(Effect.provide(Blocking.stats, layer)), [message])
      })
  )
})

describe("hold", () => {
  it.effect("a held run is running, and its body begins with release", () =>
    Effect.gen(function*() {
      const held = yield* BlockingTest.hold(Tasks.add)
      const fiber = yield* fork(Blocking.run(Tasks.add, 1, 2))
      yield* held.started
      const { running } = yield* Blocking.stats
      assert.deepStrictEqual(running.map(({ task }) => task), ["add"])
      assert.isUndefined(fiber.pollUnsafe())
      yield* held.release
      assert.strictEqual(yield* Fiber.join(fiber), 3)
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("only the next run is held, of that task; two handles hold two", () =>
    Effect.gen(function*() {
      const first = yield* BlockingTest.hold(Tasks.add)
      const second = yield* BlockingTest.hold(Tasks.add)
      const fibers = yield* Effect.forEach([1, 2], (n) => fork(Blocking.run(Tasks.add, n, 0)))
      yield* first.started
      yield* second.started
      assert.strictEqual(yield* Blocking.run(Tasks.add, 3, 0), 3)
      assert.strictEqual(yield* Blocking.run(Tasks.half, 2), 1)
      yield* second.release
      assert.isUndefined(fibers[0]!.pollUnsafe())
      assert.strictEqual(yield* Fiber.join(fibers[1]!), 2)
      yield* first.release
      assert.strictEqual(yield* Fiber.join(fibers[0]!), 1)
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("released before it is started, it lets the next run pass", () =>
    Effect.gen(function*() {
      const held = yield* BlockingTest.hold(Tasks.add)
      yield* held.release
      assert.strictEqual(yield* Blocking.run(Tasks.add, 1, 2), 3)
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("C3: interrupted while held, the body leaves by its checkpoint and the thread lives", () =>
    Effect.gen(function*() {
      const held = yield* BlockingTest.hold(Tasks.polite)
      const fiber = yield* fork(Blocking.run(Tasks.polite, "interrupted"))
      yield* held.started
      const interruption = yield* fork(Fiber.interrupt(fiber))
      yield* Effect.yieldNow
      assert.isUndefined(interruption.pollUnsafe())
      yield* held.release
      yield* Fiber.join(interruption)
      assert.include(Tasks.cleanups, "interrupted")
      assert.strictEqual(yield* Blocking.run(Tasks.polite, "next"), "next")
      assert.strictEqual((yield* Blocking.stats).threadsStarted, 1)
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("aborted past its grace period, its thread is terminated and replaced", () =>
    Effect.gen(function*() {
      const held = yield* BlockingTest.hold(Tasks.polite)
      const handle = yield* Blocking.spawn(Tasks.polite, "aborted")
      yield* held.started
      const abort = yield* fork(handle.abort)
      yield* TestClock.adjust("199 millis")
      assert.isUndefined(abort.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(abort)
      const reason = yield* reasonOf(handle.join, "Cancelled")
      assert.strictEqual(reason.stopped, "Terminated")
      yield* held.release
      assert.notInclude(Tasks.cleanups, "aborted")
      yield* Blocking.run(Tasks.add, 1, 2)
      assert.strictEqual((yield* Blocking.stats).threadsStarted, 2)
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("timeLimit: held past it, the body sees the flag and the caller gets TimedOut", () =>
    Effect.gen(function*() {
      const held = yield* BlockingTest.hold(Tasks.limited)
      const fiber = yield* fork(Blocking.run(Tasks.limited))
      yield* held.started
      yield* TestClock.adjust("999 millis")
      assert.deepStrictEqual((yield* Blocking.stats).running.map(({ runningMillis }) => runningMillis), [999])
      yield* TestClock.adjust("1 millis")
      yield* held.release
      const reason = yield* reasonOf(Fiber.join(fiber), "TimedOut")
      assert.deepStrictEqual([reason.limitMillis, reason.stopped], [1000, "Checkpoint"])
      assert.isFalse(yield* Blocking.run(Tasks.limited))
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("timeLimit and gracePeriod: never released, its thread is terminated", () =>
    Effect.gen(function*() {
      const held = yield* BlockingTest.hold(Tasks.limited)
      const fiber = yield* fork(Blocking.run(Tasks.limited))
      yield* held.started
      yield* TestClock.adjust("1200 millis")
      assert.strictEqual((yield* reasonOf(Fiber.join(fiber), "TimedOut")).stopped, "Terminated")
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("native: its thread cannot be terminated and is abandoned", () =>
    Effect.gen(function*() {
      const held = yield* BlockingTest.hold(Tasks.limited, { native: true })
      const fiber = yield* fork(Blocking.run(Tasks.limited))
      yield* held.started
      yield* TestClock.adjust("2200 millis")
      assert.strictEqual((yield* reasonOf(Fiber.join(fiber), "TimedOut")).stopped, "Abandoned")
      assert.strictEqual((yield* Blocking.stats).stuckThreads, 1)
      yield* held.release
      assert.strictEqual((yield* Blocking.stats).stuckThreads, 0)
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("never released, the close of the layer dies with the name of the task", () =>
    Effect.gen(function*() {
      const outlived = yield* Effect.gen(function*() {
        const held = yield* BlockingTest.hold(Tasks.add)
        const fiber = yield* fork(Blocking.run(Tasks.add, 1, 2))
        yield* held.started
        return fiber
      }).pipe(Effect.provide(BlockingTest.layer()), dies)
      assert.deepStrictEqual(outlived, [`Task "add" was held by BlockingTest.hold and never released`])
    }))

  it.effect("never released, the scope in which it was held dies with the name of the task", () =>
    Effect.gen(function*() {
      const defects = yield* Effect.gen(function*() {
        const held = yield* BlockingTest.hold(Tasks.add)
        yield* Effect.forkIn(Effect.exit(Blocking.run(Tasks.add, 1, 2)), yield* Effect.scope)
        yield* held.started
      }).pipe(Effect.scoped, dies)
      assert.deepStrictEqual(defects, [`Task "add" was held by BlockingTest.hold and never released`])
      assert.strictEqual(yield* Blocking.run(Tasks.add, 1, 2), 3)
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("never released, a task that was spawned in the same scope does not wait for the clock", () =>
    Effect.gen(function*() {
      const defects = yield* Effect.gen(function*() {
        const held = yield* BlockingTest.hold(Tasks.add)
        yield* Blocking.spawn(Tasks.add, 1, 2)
        yield* held.started
      }).pipe(Effect.scoped, dies)
      assert.deepStrictEqual(defects, [`Task "add" was held by BlockingTest.hold and never released`])
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("a test that waits for it is told so, in real time", () =>
    Effect.gen(function*() {
      const line = yield* Deferred.make<string>()
      // Where a test under `it.effect` sees it: that has no logger.
      const warn = vi.spyOn(console, "warn").mockImplementation((message: string) => {
        if (message.includes("polite")) Deferred.doneUnsafe(line, Exit.succeed(message))
      })
      yield* Effect.addFinalizer(() => Effect.sync(() => warn.mockRestore()))
      const held = yield* BlockingTest.hold(Tasks.polite)
      const fiber = yield* fork(Blocking.run(Tasks.polite, "waits"))
      assert.include(yield* Deferred.await(line), `Task "polite" is held by BlockingTest.hold`)
      yield* held.release
      yield* Fiber.join(fiber)
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("a body that loops until it is asked to stop does not hang the test run", () =>
    Effect.gen(function*() {
      const { thrown } = yield* reasonOf(Blocking.run(Tasks.endless), "Panicked")
      assert.include(String(thrown), `Task "endless" has looked for a stop for 5000 ms`)
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("never started, it is forgotten with its scope", () =>
    Effect.gen(function*() {
      yield* Effect.scoped(BlockingTest.hold(Tasks.add))
      assert.strictEqual(yield* Blocking.run(Tasks.add, 1, 2), 3)
    }).pipe(Effect.provide(BlockingTest.layer())))
})

describe("failNext", () => {
  it.effect("the next run ends with the reason, and its body does not run", () =>
    Effect.gen(function*() {
      const before = Tasks.cleanups.length
      yield* BlockingTest.failNext(Tasks.polite, new JoinError.OutOfMemory({ limits: {} }))
      yield* BlockingTest.failNext(Tasks.polite, new JoinError.QueueFull({ capacity: 7 }))
      const error = yield* Effect.flip(Blocking.run(Tasks.polite, "failed"))
      assert.instanceOf(error, JoinError.JoinError)
      assert.instanceOf(error.reason, JoinError.OutOfMemory)
      assert.strictEqual(error.task, "polite")
      const reason = yield* reasonOf(Blocking.run(Tasks.polite, "failed"), "QueueFull")
      assert.strictEqual(reason.capacity, 7)
      assert.notInclude(Tasks.cleanups.slice(before), "failed")
      assert.strictEqual(yield* Blocking.run(Tasks.polite, "third"), "third")
      const { outcomes } = yield* Blocking.stats
      assert.deepStrictEqual([outcomes.OutOfMemory, outcomes.QueueFull, outcomes.Succeeded], [1, 1, 1])
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("what no run has met is forgotten with its scope", () =>
    Effect.gen(function*() {
      yield* Effect.scoped(BlockingTest.failNext(Tasks.add, new JoinError.ShutDown()))
      assert.strictEqual(yield* Blocking.run(Tasks.add, 1, 2), 3)
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("a run that is held fails when it is released", () =>
    Effect.gen(function*() {
      const held = yield* BlockingTest.hold(Tasks.add)
      yield* BlockingTest.failNext(Tasks.add, new JoinError.ShutDown())
      const fiber = yield* fork(Blocking.run(Tasks.add, 1, 2))
      yield* held.started
      yield* held.release
      yield* reasonOf(Fiber.join(fiber), "ShutDown")
    }).pipe(Effect.provide(BlockingTest.layer())))
})

describe("stub", () => {
  it.effect("replaces a body: its result, its error, what it throws", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* Blocking.run(Tasks.half, 4), 2)
      yield* BlockingTest.stub(Tasks.half, (n) => n * 100)
      assert.strictEqual(yield* Blocking.run(Tasks.half, 3), 300)
      yield* BlockingTest.stub(Tasks.half, () => {
        throw new Error("stubbed")
      })
      const { thrown } = yield* reasonOf(Blocking.run(Tasks.half, 3), "Panicked")
      assert.strictEqual((thrown as Error).message, "stubbed")
      assert.strictEqual(yield* Blocking.run(Tasks.add, 1, 2), 3)
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("lasts as long as the layer", () =>
    Effect.gen(function*() {
      yield* Effect.provide(BlockingTest.stub(Tasks.add, () => 0), BlockingTest.layer())
      assert.strictEqual(yield* Effect.provide(Blocking.run(Tasks.add, 1, 2), BlockingTest.layer()), 3)
    }))
})

describe("calls", () => {
  it.effect("have arguments and outcomes, in order of submission", () =>
    Effect.gen(function*() {
      const list = [1]
      yield* Blocking.run(Tasks.push, list)
      list.push(99)
      yield* Effect.exit(Blocking.run(Tasks.half, 3))
      const handle = yield* Blocking.spawn(Tasks.add, 1, 2)
      yield* handle.join
      yield* Blocking.lease((thread) => thread.run(Tasks.add, 3, 4))
      yield* Effect.exit(Blocking.run(Tasks.any, () => {}))
      const calls = yield* BlockingTest.calls
      assert.deepStrictEqual(calls.map(({ task }) => task), ["push", "half", "add", "add", "any"])
      assert.deepStrictEqual(calls[0]!.args, [[1]])
      assert.deepStrictEqual(calls[0]!.exit, Exit.succeed([1, 1]))
      assert.isTrue(Exit.isFailure(calls[1]!.exit!))
      assert.isTrue(Exit.isFailure(calls[4]!.exit!))
      const adds = yield* BlockingTest.callsOf(Tasks.add)
      assert.deepStrictEqual(adds.map(({ args, exit }) => [args, exit]), [
        [[1, 2], Exit.succeed(3)],
        [[3, 4], Exit.succeed(7)]
      ])
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("one that runs has no outcome yet", () =>
    Effect.gen(function*() {
      const held = yield* BlockingTest.hold(Tasks.add)
      const fiber = yield* fork(Blocking.run(Tasks.add, 1, 2))
      yield* held.started
      assert.isUndefined((yield* BlockingTest.callsOf(Tasks.add))[0]!.exit)
      yield* held.release
      yield* Fiber.join(fiber)
      assert.deepStrictEqual((yield* BlockingTest.callsOf(Tasks.add))[0]!.exit, Exit.succeed(3))
    }).pipe(Effect.provide(BlockingTest.layer())))
})

describe("fillQueue", () => {
  it.effect("S5: a full queue fails a task, if the pool is such", () =>
    Effect.gen(function*() {
      yield* BlockingTest.fillQueue()
      const { queueDepth, running } = yield* Blocking.stats
      assert.deepStrictEqual([running.length, queueDepth], [2, 3])
      assert.strictEqual((yield* reasonOf(Blocking.run(Tasks.add, 1, 2), "QueueFull")).capacity, 3)
      yield* BlockingTest.drainQueue()
      assert.strictEqual(yield* Blocking.run(Tasks.add, 1, 2), 3)
      assert.strictEqual((yield* BlockingTest.calls).length, 2)
    }).pipe(Effect.provide(BlockingTest.layer({ maxThreads: 2, queueCapacity: 3, onFull: "fail" }))))

  it.effect("S5: a full queue suspends the submitter, who can be interrupted", () =>
    Effect.gen(function*() {
      yield* BlockingTest.fillQueue()
      const waits = yield* fork(Blocking.run(Tasks.add, 1, 2))
      const gone = yield* fork(Blocking.run(Tasks.polite, "suspended"))
      assert.strictEqual((yield* Blocking.stats).suspended, 2)
      yield* Fiber.interrupt(gone)
      assert.strictEqual((yield* Blocking.stats).suspended, 1)
      yield* BlockingTest.drainQueue()
      assert.strictEqual(yield* Fiber.join(waits), 3)
      assert.notInclude(Tasks.cleanups, "suspended")
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("queueTimeLimit follows the clock", () =>
    Effect.gen(function*() {
      yield* BlockingTest.fillQueue()
      const fiber = yield* fork(Blocking.run(Tasks.impatient))
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* reasonOf(Fiber.join(fiber), "QueueTimedOut")).limitMillis, 1000)
    }).pipe(Effect.provide(BlockingTest.layer({ maxThreads: 1 }))))
})

describe("killThread", () => {
  it.effect("F1: the held run ends with WorkerExited, and what waited runs on another thread", () =>
    Effect.gen(function*() {
      const held = yield* BlockingTest.hold(Tasks.polite)
      const fiber = yield* fork(Blocking.run(Tasks.polite, "killed"))
      yield* held.started
      const behind = yield* fork(Blocking.run(Tasks.add, 1, 2))
      yield* BlockingTest.killThread(Tasks.polite, { exitCode: 134 })
      assert.strictEqual((yield* reasonOf(Fiber.join(fiber), "WorkerExited")).exitCode, 134)
      assert.strictEqual(yield* Fiber.join(behind), 3)
      yield* held.release
      assert.notInclude(Tasks.cleanups, "killed")
      assert.strictEqual((yield* Blocking.stats).threadsStarted, 2)
    }).pipe(Effect.provide(BlockingTest.layer({ maxThreads: 1 }))))

  it.effect("dies if no run is held", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* dies(BlockingTest.killThread(Tasks.add)), [
        `BlockingTest.killThread: no run of task "add" is held; hold it and wait for \`started\` first`
      ])
    }).pipe(Effect.provide(BlockingTest.layer())))
})

describe("close", () => {
  it.effect("D1: later tasks are refused", () =>
    Effect.gen(function*() {
      yield* BlockingTest.close()
      yield* reasonOf(Blocking.run(Tasks.add, 1, 2), "ShutDown")
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("D2, D3: queued tasks are cancelled, mandatory ones run, held ones get shutdownTimeout and the ladder", () =>
    Effect.gen(function*() {
      const held = yield* BlockingTest.hold(Tasks.polite)
      const running = yield* fork(Blocking.run(Tasks.polite, "closed"))
      yield* held.started
      const queued = yield* fork(Blocking.run(Tasks.add, 1, 2))
      const mandatory = yield* fork(Blocking.run(Tasks.mandatory, 3, 4))
      const closing = yield* fork(BlockingTest.close())
      assert.strictEqual((yield* reasonOf(Fiber.join(queued), "Cancelled")).stage, "Queued")
      yield* TestClock.adjust("5 seconds")
      assert.isUndefined(closing.pollUnsafe())
      yield* held.release
      const { by, stopped } = yield* reasonOf(Fiber.join(running), "Cancelled")
      assert.deepStrictEqual([by, stopped], ["Shutdown", "Checkpoint"])
      assert.strictEqual(yield* Fiber.join(mandatory), 7)
      yield* Fiber.join(closing)
    }).pipe(Effect.provide(BlockingTest.layer({ maxThreads: 1 }))))

  it.effect("D4: a held task is terminated within the bound", () =>
    Effect.gen(function*() {
      const held = yield* BlockingTest.hold(Tasks.polite)
      const running = yield* fork(Blocking.run(Tasks.polite, "terminated"))
      yield* held.started
      const closing = yield* fork(BlockingTest.close())
      yield* TestClock.adjust("5200 millis")
      assert.strictEqual((yield* reasonOf(Fiber.join(running), "Cancelled")).stopped, "Terminated")
      yield* Fiber.join(closing)
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("interrupted, the shutdown goes on, and the close of the layer ends it", () =>
    Effect.gen(function*() {
      const scope = yield* Effect.scope
      yield* Effect.gen(function*() {
        yield* Effect.forkIn(Blocking.lease(() => Effect.never), scope, { startImmediately: true })
        yield* Effect.yieldNow
        const closing = yield* fork(BlockingTest.close())
        yield* Fiber.interrupt(closing)
        yield* reasonOf(Blocking.run(Tasks.add, 1, 2), "ShutDown")
      }).pipe(Effect.provide(BlockingTest.layer()))
    }))

  it.effect("the close of the layer does not wait for the clock, whatever is leased or queued", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.gen(function*() {
        const scope = yield* Effect.scope
        const fiber = yield* Effect.forkIn(Blocking.lease(() => Effect.never), scope, { startImmediately: true })
        yield* BlockingTest.fillQueue()
        yield* Effect.forkIn(Effect.exit(Blocking.run(Tasks.mandatory, 1, 2)), scope, { startImmediately: true })
        return fiber
      }).pipe(Effect.provide(BlockingTest.layer({ maxThreads: 2 })))
      yield* Fiber.interrupt(fiber)
    }))
})

describe("threads", () => {
  it.effect("P1: keepAlive retires an idle thread, which releases its threadLocal values", () =>
    Effect.gen(function*() {
      const held = yield* BlockingTest.hold(Tasks.query)
      const first = yield* fork(Blocking.run(Tasks.query))
      yield* held.started
      const b = yield* Blocking.run(Tasks.query)
      yield* held.release
      const a = yield* Fiber.join(first)
      assert.notStrictEqual(a, b)
      assert.strictEqual((yield* Blocking.stats).threads, 2)
      yield* TestClock.adjust("9 seconds")
      assert.strictEqual((yield* Blocking.stats).threads, 2)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual((yield* Blocking.stats).threads, 0)
      assert.includeMembers(Tasks.releases, [a, b])
    }).pipe(Effect.provide(BlockingTest.layer())))

  it.effect("P3: two pools share nothing but their control", () =>
    Effect.gen(function*() {
      yield* BlockingTest.fillQueue(Cpu)
      yield* reasonOf(Cpu.run(Tasks.add, 1, 2), "QueueFull")
      assert.strictEqual(yield* Blocking.run(Tasks.add, 1, 2), 3)
      yield* BlockingTest.drainQueue(Cpu)
      assert.strictEqual(yield* Cpu.run(Tasks.add, 3, 4), 7)
      assert.strictEqual((yield* BlockingTest.callsOf(Tasks.add)).length, 3)
    }).pipe(Effect.provide(Layer.merge(
      BlockingTest.layer(),
      BlockingTest.layerPool(Cpu, { maxThreads: 1, queueCapacity: 1, onFull: "fail" })
    ))))

  it.effect("two full pools are drained each for itself", () =>
    Effect.gen(function*() {
      yield* BlockingTest.fillQueue(Blocking.Blocking)
      yield* BlockingTest.fillQueue(Cpu)
      yield* BlockingTest.drainQueue(Cpu)
      assert.strictEqual(yield* Cpu.run(Tasks.add, 3, 4), 7)
      yield* reasonOf(Blocking.run(Tasks.add, 1, 2), "QueueFull")
    }).pipe(Effect.provide(Layer.merge(
      BlockingTest.layer({ maxThreads: 1, queueCapacity: 1, onFull: "fail" }),
      BlockingTest.layerPool(Cpu, { maxThreads: 1, queueCapacity: 1, onFull: "fail" })
    ))))

  it.effect("S2: what was queued behind a held run does not wait for it while a thread is free", () =>
    Effect.gen(function*() {
      // Known to be short, two of them would travel to a thread together.
      yield* Blocking.run(Tasks.add, 1, 2)
      const busy = [yield* BlockingTest.hold(Tasks.half), yield* BlockingTest.hold(Tasks.half)] as const
      const halves = yield* Effect.forEach([2, 4], (n) => fork(Blocking.run(Tasks.half, n)))
      yield* busy[1].started
      const held = yield* BlockingTest.hold(Tasks.add)
      const first = yield* fork(Blocking.run(Tasks.add, 1, 2))
      const second = yield* fork(Blocking.run(Tasks.add, 3, 4))
      yield* busy[0].release
      yield* held.started
      yield* busy[1].release
      assert.strictEqual(yield* Fiber.join(second), 7)
      yield* held.release
      assert.strictEqual(yield* Fiber.join(first), 3)
      assert.deepStrictEqual(yield* Fiber.joinAll(halves), [1, 2])
    }).pipe(Effect.provide(BlockingTest.layer({ maxThreads: 2 }))))

  it.effect("the only pool is the default, and one that is not there is named", () =>
    Effect.gen(function*() {
      yield* BlockingTest.fillQueue()
      assert.strictEqual((yield* Cpu.stats).running.length, 1)
      assert.deepStrictEqual(yield* dies(BlockingTest.close(Blocking.Blocking)), [
        `BlockingTest: there is no pool "effect-blocking/Blocking", but "app/Cpu": ` +
        "provide it with BlockingTest.layer or BlockingTest.layerPool"
      ])
    }).pipe(Effect.provide(BlockingTest.layerPool(Cpu, { maxThreads: 1 }))))

  it.live("runs with the live clock, too", () =>
    Effect.gen(function*() {
      const held = yield* BlockingTest.hold(Tasks.limited)
      const fiber = yield* fork(Blocking.run(Task.with(Tasks.limited, { timeLimit: "5 millis", gracePeriod: 0 })))
      yield* held.started
      assert.strictEqual((yield* reasonOf(Fiber.join(fiber), "TimedOut")).stopped, "Terminated")
    }).pipe(Effect.provide(BlockingTest.layer())))
})

it.layer(BlockingTest.layer())("a layer for many tests", (it) => {
  it.effect("runs tasks", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* Blocking.run(Tasks.add, 1, 2), 3)
    }))

  it.effect("gives way to another in one test", () =>
    Effect.gen(function*() {
      yield* BlockingTest.fillQueue()
      assert.isTrue(Option.isNone(yield* Effect.option(Blocking.run(Tasks.add, 1, 2))))
    }).pipe(Effect.provide(BlockingTest.layer({ maxThreads: 1, queueCapacity: 0, onFull: "fail" }))))
})
