/** What holds for processes as for threads, with bodies that share no memory with the test. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { assert, describe, it, vi } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { Task } from "effect-blocking"
import { MessageChannel } from "node:worker_threads"
import * as native from "./fixtures/native.ts"
import * as processes from "./fixtures/processes.ts"
import * as slowLoad from "./fixtures/slowLoadProcess.ts"
import * as FileGate from "./utils/fileGate.ts"
import { assertQuiescent, reasonOf, withPool } from "./utils/pool.ts"
import * as Program from "./utils/program.ts"

const isolation = "process"
const quick = { isolation, maxThreads: 1, gracePeriod: "1 millis" } as const
const patient = { isolation, maxThreads: 1, gracePeriod: "1 minute" } as const
const program = { timeout: 40_000 }

// Each starts processes: all at once they would take the machine from other tests.
const oneByOne = { concurrent: false }
vi.setConfig({ testTimeout: 20_000 })

/** Waits until there is no such process. */
const gone = (pid: number): Effect.Effect<void> =>
  Effect.asVoid(Effect.repeat(
    Effect.sync(() => {
      try {
        return process.kill(pid, 0)
      } catch {
        return false
      }
    }),
    { until: (isThere) => !isThere, schedule: native.poll }
  ))

describe("values", oneByOne, () => {
  it.live("S1: the body runs in a process of its own, as in a pool thread", () =>
    withPool({
      isolation,
      maxThreads: 1,
      threadName: "isolated",
      threadData: { seed: 1 },
      env: { ...process.env, EFFECT_BLOCKING_TEST: "set" },
      resourceLimits: { maxOldGenerationSizeMb: 100, maxYoungGenerationSizeMb: 30, stackSizeMb: 0.9 }
    }, (pool) =>
      Effect.gen(function*() {
        const { flags, ...environment } = yield* pool.run(processes.environment)
        assert.deepStrictEqual(environment, {
          inPool: true,
          title: "isolated-1",
          data: { seed: 1 },
          variable: "set"
        })
        assert.include(flags, "--max-old-space-size=100 --max-semi-space-size=10 --stack-size=921")
        assert.notStrictEqual(yield* pool.run(processes.pid), process.pid)
      })))

  it.live("S2: tasks start in order of submission, each where there is a free process", () =>
    withPool({ isolation, maxThreads: 2 }, (pool) =>
      Effect.gen(function*() {
        const gate = yield* FileGate.make
        const held = yield* pool.spawn(processes.hold, gate, 7)
        const [threadId] = yield* FileGate.arrived(gate)
        const sums = yield* Effect.forEach([1, 2, 3, 4], (n) => pool.run(processes.add, n, n), { concurrency: 4 })
        assert.deepStrictEqual(sums, [2, 4, 6, 8])
        assert.deepInclude(yield* held.status, { _tag: "Running", threadId })
        FileGate.open(gate)
        assert.strictEqual(yield* held.join, 7)
      })))

  it.live("S2: tasks known as tiny are sent one by one", () =>
    withPool({ isolation, maxThreads: 2 }, (pool) =>
      Effect.gen(function*() {
        const numbers = Array.from({ length: 500 }, (_, i) => i)
        const sums = yield* Effect.forEach(numbers, (n) => pool.run(processes.add, n, n), { concurrency: 100 })
        assert.deepStrictEqual(sums, numbers.map((n) => 2 * n))
      })))

  it.live("S2: a task sent to a process that a former one keeps busy is taken to another", () =>
    withPool({ isolation, maxThreads: 2 }, (pool) =>
      Effect.gen(function*() {
        const gate = yield* FileGate.make
        yield* pool.run(processes.lingers, gate)
        const [busy] = yield* FileGate.arrived(gate)
        assert.notStrictEqual(yield* pool.run(processes.pid), busy)
        FileGate.open(gate)
      })))

  it.live("S3: a moved buffer is gone on its side, and arrives whole, both ways", () =>
    withPool({ isolation, maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const bytes = new Uint8Array(100_000)
        assert.strictEqual(yield* pool.run(processes.lengthOf, Task.move(bytes)), 100_000)
        assert.strictEqual(bytes.byteLength, 0)
        const { bytes: back } = yield* pool.run(processes.moveBack, 100_000)
        assert.deepStrictEqual([back.constructor, back.byteLength, back[99_999]], [Uint8Array, 100_000, 7])
        assert.strictEqual(yield* pool.run(processes.keptLength), 0)
      })))

  const { port1 } = new MessageChannel()
  const onlyThreads: ReadonlyArray<readonly [value: object, detail: string]> = [
    [new Int32Array(new SharedArrayBuffer(8)), "SharedArrayBuffer"],
    [Task.move(port1), "MessagePort"],
    [{ onDone: () => {} }, "cannot be sent to another thread"]
  ]
  it.live.each(onlyThreads)(
    "S4: an argument that cannot cross is NotCloneable, by its path: %o",
    ([value, detail]) =>
      withPool({ isolation, maxThreads: 1 }, (pool) =>
        Effect.gen(function*() {
          const before = yield* pool.run(processes.pid)
          const reason = yield* reasonOf(pool.run(processes.takes, { rows: [value] }))
          assert.deepInclude(reason, { _tag: "NotCloneable", side: "argument" })
          assert.include(reason.message, "arguments[0].rows[0]")
          assert.include(reason.message, detail)
          assert.strictEqual(yield* pool.run(processes.pid), before)
        }))
  )

  it.live("S4: a result that cannot cross fails its own task, by its path, and keeps the process", () =>
    withPool({ isolation, maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const before = yield* pool.run(processes.pid)
        const reason = yield* reasonOf(pool.run(processes.shared))
        assert.deepInclude(reason, { _tag: "NotCloneable", side: "success", path: "result.rows[0].cells" })
        assert.include(reason.message, "SharedArrayBuffer")
        const panic = yield* reasonOf(pool.run(processes.sharedInPanic))
        assert.strictEqual(panic._tag, "Panicked", "a panic is never lost")
        assert.include(panic.message, "with a cell")
        assert.strictEqual(yield* pool.run(processes.pid), before)
      })))

  it.live("what a body sends to the program is not ours, and harms nothing", () =>
    withPool({ isolation, maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        assert.strictEqual(yield* pool.run(processes.sends), 1)
        assert.strictEqual(yield* pool.run(processes.add, 1, 1), 2)
      })))

  it.live("threadData that cannot cross is refused with the options", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Effect.scoped(
        NodeBlocking.make("test", { isolation, threadData: new SharedArrayBuffer(8) })
      ))
      assert.deepInclude(error, { _tag: "InvalidOptions", option: "threadData" })
      const unknown = yield* Effect.flip(Effect.scoped(
        NodeBlocking.make("test", { isolation: "fiber" as "thread" })
      ))
      assert.deepInclude(unknown, { option: "isolation", expected: "\"thread\" or \"process\"" })
    }))
})

describe("cancellation", oneByOne, () => {
  it.live("C1: aborted while queued, the body never runs", () =>
    withPool({ isolation, maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const [gate, marked] = [yield* FileGate.make, yield* FileGate.make]
        yield* pool.spawn(processes.hold, gate, 1)
        yield* FileGate.arrived(gate)
        const handle = yield* pool.spawn(processes.mark, marked)
        yield* handle.abort
        assert.deepInclude(yield* reasonOf(handle.join), { _tag: "Cancelled", stage: "Queued", by: "Abort" })
        FileGate.open(gate)
        yield* pool.awaitIdle
        assert.deepStrictEqual(FileGate.pids(marked), [])
      })))

  it.live("C1: aborted as soon as it was sent, the body has either been stopped or never runs", () =>
    withPool(patient, (pool) =>
      Effect.gen(function*() {
        const pid = yield* pool.run(processes.pid)
        for (let i = 0; i < 50; i++) {
          const [started, cleaned] = [yield* FileGate.make, yield* FileGate.make]
          const handle = yield* pool.spawn(processes.polite, started, cleaned)
          yield* handle.abort
          const reason = yield* reasonOf(handle.join)
          yield* pool.run(processes.add, 1, 1)
          const ran = FileGate.pids(started).length
          if ((reason as { readonly stage: string }).stage === "Queued") assert.strictEqual(ran, 0)
          assert.strictEqual(FileGate.pids(cleaned).length, ran)
        }
        assert.strictEqual(yield* pool.run(processes.pid), pid)
      })))

  it.live("C1: aborted while its module loads, the body never runs, and the process is spared", () =>
    Effect.scoped(Effect.gen(function*() {
      const loading = yield* FileGate.make
      yield* withPool({ ...quick, gracePeriod: 0, threadData: loading }, (pool) =>
        Effect.gen(function*() {
          const ran = yield* FileGate.make
          const handle = yield* pool.spawn(slowLoad.body, ran)
          yield* FileGate.arrived(loading)
          assert.strictEqual((yield* handle.status)._tag, "Queued")
          yield* handle.abort
          assert.deepInclude(yield* reasonOf(handle.join), { _tag: "Cancelled", stage: "Queued" })
          assert.deepStrictEqual((yield* pool.stats).running, [], "nothing of it runs, or will")
          FileGate.open(loading)
          yield* pool.run(slowLoad.body, ran)
          assert.strictEqual(FileGate.pids(ran).length, 1)
          assert.strictEqual((yield* pool.stats).threadsStarted, 1)
        }))
    })))

  it.live("C2: stop kills a process that does not heed the flag, and replaces it", () =>
    withPool(quick, (pool) =>
      Effect.gen(function*() {
        const gate = yield* FileGate.make
        const handle = yield* pool.spawn(processes.spin, gate)
        const [pid] = yield* FileGate.arrived(gate)
        yield* handle.abort
        assert.deepInclude(yield* reasonOf(handle.join), {
          _tag: "Cancelled",
          stage: "Running",
          by: "Abort",
          stopped: "Terminated"
        })
        yield* gone(pid)
        assert.strictEqual(yield* pool.run(processes.add, 1, 1), 2)
      })))

  it.live("C2: wait raises the flag and waits for the body, however long it takes", () =>
    withPool({ ...quick, gracePeriod: 0 }, (pool) =>
      Effect.gen(function*() {
        const gate = yield* FileGate.make
        const fiber = yield* Effect.forkChild(pool.run(processes.stubborn, gate))
        const [pid] = yield* FileGate.arrived(gate)
        const interruption = yield* Effect.forkChild(Fiber.interrupt(fiber), { startImmediately: true })
        assert.isUndefined(interruption.pollUnsafe())
        FileGate.open(gate)
        yield* Fiber.join(interruption)
        assert.strictEqual(yield* pool.run(processes.pid), pid)
      })))

  it.live("C2: abandon raises the flag and returns at once; the process stays busy until the body ends", () =>
    withPool({ ...quick, gracePeriod: 0 }, (pool) =>
      Effect.gen(function*() {
        const gate = yield* FileGate.make
        const handle = yield* pool.spawn(Task.with(processes.stubborn, { onInterrupt: "abandon" }), gate)
        const [pid] = yield* FileGate.arrived(gate)
        yield* handle.abort
        assert.strictEqual((yield* handle.status)._tag, "Running")
        const next = yield* Effect.forkChild(pool.run(processes.pid), { startImmediately: true })
        assert.strictEqual((yield* pool.stats).queueDepth, 1)
        FileGate.open(gate)
        assert.isTrue(yield* handle.join, "the flag was raised")
        assert.strictEqual(yield* Fiber.join(next), pid)
      })))

  it.live("C2: timeLimit stops the body, and the loading of its module does not count", () =>
    Effect.scoped(Effect.gen(function*() {
      const loading = yield* FileGate.make
      yield* withPool({ ...quick, threadData: loading }, (pool) =>
        Effect.gen(function*() {
          const limit = { timeLimit: "50 millis" } as const
          const gate = yield* FileGate.make
          const slow = yield* pool.spawn(Task.with(slowLoad.body, limit), gate)
          yield* FileGate.arrived(loading)
          // Once this one has given up, the other has been loading for longer than its limit.
          const impatient = pool.run(Task.with(processes.add, { queueTimeLimit: "100 millis" }), 1, 1)
          assert.strictEqual((yield* reasonOf(impatient))._tag, "QueueTimedOut")
          FileGate.open(loading)
          assert.strictEqual(yield* slow.join, 1)
          const terminated = yield* reasonOf(pool.run(Task.with(processes.spin, limit), gate))
          assert.deepInclude(terminated, { _tag: "TimedOut", limitMillis: 50, stopped: "Terminated" })
          const polite = Task.with(processes.untilAsked, { ...limit, gracePeriod: "1 minute" })
          assert.deepInclude(yield* reasonOf(pool.run(polite, gate)), { _tag: "TimedOut", stopped: "Checkpoint" })
        }))
    })))

  it.live("C3: a blocked loop sees the stop, leaves through finally, and the process takes the next task", () =>
    withPool(patient, (pool) =>
      Effect.gen(function*() {
        const [started, cleaned] = [yield* FileGate.make, yield* FileGate.make]
        const handle = yield* pool.spawn(processes.polite, started, cleaned)
        const [pid] = yield* FileGate.arrived(started)
        yield* handle.abort
        assert.deepInclude(yield* reasonOf(handle.join), { _tag: "Cancelled", stopped: "Checkpoint" })
        assert.deepStrictEqual(FileGate.pids(cleaned), [pid])
        assert.strictEqual(yield* pool.run(processes.pid), pid)
      })))

  it.live("C3: a body that ends by itself when asked keeps its result, and no later task sees the stop", () =>
    withPool(patient, (pool) =>
      Effect.gen(function*() {
        for (let i = 0; i < 10; i++) {
          const started = yield* FileGate.make
          const handle = yield* pool.spawn(processes.untilAsked, started)
          yield* FileGate.arrived(started)
          yield* handle.abort
          assert.strictEqual(yield* handle.join, "partial")
          assert.isFalse(yield* pool.run(processes.seesStop))
        }
      })))

  it.live("C4: what was queued behind a killed process runs elsewhere, exactly once", () =>
    withPool(quick, (pool) =>
      Effect.gen(function*() {
        const [gate, marked] = [yield* FileGate.make, yield* FileGate.make]
        const stuck = yield* pool.spawn(processes.spin, gate)
        yield* FileGate.arrived(gate)
        const behind = yield* Effect.forEach([1, 2, 3], () => pool.spawn(processes.mark, marked))
        yield* stuck.abort
        const pids = yield* Effect.forEach(behind, (handle) => handle.join)
        assert.strictEqual(new Set(pids).size, 1)
        assert.deepStrictEqual(FileGate.pids(marked), pids)
      })))

  it.live("C2: a process blocked in native code is killed, and nothing is left stuck", () =>
    native.withFifo((fifo) =>
      withPool(quick, (pool) =>
        Effect.gen(function*() {
          const handle = yield* pool.spawn(native.read, fifo.path)
          yield* fifo.entered
          yield* handle.abort
          assert.deepInclude(yield* reasonOf(handle.join), { _tag: "Cancelled", stopped: "Terminated" })
          const { stuckThreads, threads } = yield* pool.stats
          assert.deepStrictEqual({ stuckThreads, threads }, { stuckThreads: 0, threads: 0 })
          assert.strictEqual(yield* pool.run(processes.add, 1, 1), 2)
        }))
    ))
})

describe("faults", oneByOne, () => {
  const deaths = [
    ["exit", { exitCode: 3 }],
    ["abort", { signal: "SIGABRT" }],
    ["SIGSEGV", { signal: "SIGSEGV" }],
    ["SIGKILL", { signal: "SIGKILL" }]
  ] as const
  it.live.each(deaths)(
    "F1: a process that dies by %s costs its own task and no other",
    ([how, carried]) =>
      withPool({ isolation, maxThreads: 2 }, (pool) =>
        Effect.gen(function*() {
          const gate = yield* FileGate.make
          const other = yield* pool.spawn(processes.hold, gate, 1)
          yield* FileGate.arrived(gate)
          const dying = yield* pool.spawn(processes.die, how)
          const behind = yield* pool.spawn(processes.add, 1, 1)
          assert.deepInclude(yield* reasonOf(dying.join), { _tag: "WorkerExited", ...carried })
          assert.strictEqual(yield* behind.join, 2)
          FileGate.open(gate)
          assert.strictEqual(yield* other.join, 1)
        }))
  )

  it.live(
    "F1: a process that outgrows its heap aborts",
    () =>
      withPool(
        { isolation, maxThreads: 1, resourceLimits: { maxOldGenerationSizeMb: 30 } },
        (pool) =>
          Effect.gen(function*() {
            assert.deepInclude(yield* reasonOf(pool.run(processes.fill)), { _tag: "WorkerExited", signal: "SIGABRT" })
            assert.strictEqual(yield* pool.run(processes.add, 1, 1), 2)
          })
      ),
    program
  )

  it.live("F1: a task that a dying process has not received runs elsewhere, once", () =>
    withPool({ isolation, maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const [gate, marked] = [yield* FileGate.make, yield* FileGate.make]
        yield* pool.run(processes.diesLater, gate)
        const [dying] = yield* FileGate.arrived(gate)
        const handle = yield* pool.spawn(processes.mark, marked)
        FileGate.open(gate)
        assert.notStrictEqual(yield* handle.join, dying)
        assert.strictEqual(FileGate.pids(marked).length, 1)
      })))

  it.live("F1: what a process has sent before its end is not lost", () =>
    withPool({ isolation, maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        for (let i = 0; i < 5; i++) assert.strictEqual(yield* pool.run(processes.diesAtOnce), "last words")
      })))

  it.live("SIGINT and SIGTERM to the whole group leave the running task alone", () =>
    withPool({ isolation, maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        const gate = yield* FileGate.make
        const handle = yield* pool.spawn(processes.hold, gate, 5)
        const [pid] = yield* FileGate.arrived(gate)
        process.kill(pid, "SIGINT")
        process.kill(pid, "SIGTERM")
        FileGate.open(gate)
        assert.strictEqual(yield* handle.join, 5)
        assert.strictEqual(yield* pool.run(processes.pid), pid)
      })))
})

describe("the pool", oneByOne, () => {
  it.live("P1: an idle process retires after keepAlive and releases its threadLocal values", () =>
    withPool({ isolation, keepAlive: "5 millis" }, (pool) =>
      Effect.gen(function*() {
        const released = yield* FileGate.make
        const pid = yield* pool.run(processes.releaseTo, released)
        assert.deepStrictEqual(yield* FileGate.arrived(released), [pid])
        yield* gone(pid)
      })))

  it.live("prewarm and preload start processes and load modules", () =>
    withPool({ isolation, maxThreads: 2, preload: [processes.pid] }, (pool) =>
      Effect.gen(function*() {
        yield* pool.prewarm(2)
        const { idleThreads, threadsStarted } = yield* pool.stats
        assert.deepStrictEqual({ idleThreads, threadsStarted }, { idleThreads: 2, threadsStarted: 2 })
      })))

  it.live("a lease holds one process for all of its calls", () =>
    withPool({ isolation, maxThreads: 2 }, (pool) =>
      Effect.gen(function*() {
        const pids = yield* pool.lease((lease) =>
          Effect.all([lease.run(processes.pid), lease.run(processes.pid), lease.run(processes.pid)], { concurrency: 3 })
        )
        assert.strictEqual(new Set(pids).size, 1)
        const reasons = yield* pool.lease((lease) =>
          Effect.gen(function*() {
            const first = yield* reasonOf(lease.run(processes.die, "exit"))
            return [first, yield* reasonOf(lease.run(processes.pid))]
          })
        )
        assert.deepStrictEqual(reasons.map((_) => _._tag), ["WorkerExited", "WorkerExited"])
      })))
})

describe("shutdown", oneByOne, () => {
  const closeable = (options: NodeBlocking.Options) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const pool = yield* Effect.provideService(
        NodeBlocking.make("test", { isolation, ...options }),
        Scope.Scope,
        scope
      )
      return { pool, close: Scope.close(scope, Exit.void) }
    })

  it.live("D2: queued tasks are cancelled, but mandatory ones still run", () =>
    Effect.gen(function*() {
      const { close, pool } = yield* closeable({ maxThreads: 1 })
      const [gate, marked] = [yield* FileGate.make, yield* FileGate.make]
      yield* pool.spawnDetached(processes.hold, gate, 1)
      yield* FileGate.arrived(gate)
      const queued = yield* pool.spawnDetached(processes.mark, marked)
      const mandatory = yield* pool.spawnDetached(Task.with(processes.mark, { mandatory: true }), marked)
      const closing = yield* Effect.forkChild(close, { startImmediately: true })
      assert.deepInclude(yield* reasonOf(queued.join), { _tag: "Cancelled", stage: "Queued", by: "Shutdown" })
      FileGate.open(gate)
      yield* Fiber.join(closing)
      assert.deepStrictEqual(FileGate.pids(marked), [yield* mandatory.join])
      yield* assertQuiescent(pool)
    }).pipe(Effect.scoped))

  it.live("D3: running tasks get shutdownTimeout, then the ladder, and no process is left", () =>
    Effect.gen(function*() {
      const { close, pool } = yield* closeable({ maxThreads: 2, shutdownTimeout: "1 millis", gracePeriod: "1 second" })
      const [started, cleaned] = [yield* FileGate.make, yield* FileGate.make]
      const polite = yield* pool.spawnDetached(processes.polite, started, cleaned)
      const spinning = yield* pool.spawnDetached(processes.spin, started)
      const pids = yield* FileGate.arrived(started, 2)
      yield* close
      const by = { _tag: "Cancelled", stage: "Running", by: "Shutdown" } as const
      assert.deepInclude(yield* reasonOf(polite.join), { ...by, stopped: "Checkpoint" })
      assert.deepInclude(yield* reasonOf(spinning.join), { ...by, stopped: "Terminated" })
      assert.strictEqual(FileGate.pids(cleaned).length, 1)
      yield* assertQuiescent(pool)
      yield* Effect.forEach(pids, gone)
    }).pipe(Effect.scoped))

  it.live("D4: it returns although a process is blocked in native code, and abandons nothing", () =>
    native.withFifo((fifo) =>
      Effect.gen(function*() {
        const { close, pool } = yield* closeable({ maxThreads: 1, shutdownTimeout: 0, gracePeriod: 0 })
        const handle = yield* pool.spawnDetached(native.read, fifo.path)
        yield* fifo.entered
        yield* close
        assert.deepInclude(yield* reasonOf(handle.join), { by: "Shutdown", stopped: "Terminated" })
        yield* assertQuiescent(pool)
      })
    ))
})

describe("programs", oneByOne, () => {
  it.live("a module with task and program is not started again by a pool process", () =>
    Effect.gen(function*() {
      const { code, stderr, stdout } = yield* Program.run("singleProcess.ts")
      assert.deepStrictEqual({ code, stderr, stdout }, { code: 0, stderr: "", stdout: "program started\n42\ntrue\n" })
    }), program)

  it.live(
    "P2: an idle process does not keep the program alive, a busy one does, and it ends with the program",
    () =>
      Effect.gen(function*() {
        const { code, stdout } = yield* Program.run("idleProcess.ts")
        assert.strictEqual(code, 0)
        yield* gone(Number(stdout))
      }),
    program
  )

  it.live("a program under a debugger keeps its port to itself", () =>
    Effect.gen(function*() {
      const { code, stderr } = yield* Program.run("idleProcess.ts", { args: ["--inspect=127.0.0.1:0", "--expose-gc"] })
      assert.strictEqual(code, 0)
      assert.strictEqual(stderr.split("Debugger listening").length, 2)
    }), program)

  it.live("a process in an endless body ends when its program is killed", () =>
    Effect.gen(function*() {
      const { signal, stdout } = yield* Program.run("orphan.ts", {
        onStdout: (_, child) => void child.kill("SIGKILL")
      })
      assert.strictEqual(signal, "SIGKILL")
      yield* gone(Number(stdout))
    }), program)
})

describe("time limits", oneByOne, () => {
  it.live("C2: a body that ended in time has not timed out, although the event loop was blocked meanwhile", () =>
    withPool(quick, (pool) =>
      Effect.gen(function*() {
        yield* pool.run(processes.busy, 0)
        const handle = yield* pool.spawn(Task.with(processes.busy, { timeLimit: "400 millis" }), 20)
        // Not in a timer: those that fall due meanwhile would wait for the messages.
        yield* Effect.callback<void>((resume) => {
          setImmediate(() => {
            const start = performance.now()
            while (performance.now() - start < 600);
            resume(Effect.void)
          })
        })
        assert.strictEqual(yield* handle.join, 20)
      })))
})
