/** Pool processes from their start to their end: faults, retirement, shutdown, whole programs. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { assert, describe, it, vi } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { Task } from "effect-blocking"
import * as native from "./fixtures/native.ts"
import * as processes from "./fixtures/processes.ts"
import * as FileGate from "./utils/fileGate.ts"
import { assertQuiescent, reasonOf, withPool } from "./utils/pool.ts"
import { gone, isolation, oneByOne } from "./utils/processes.ts"
import * as Program from "./utils/program.ts"
import { windows } from "./utils/windows.ts"

vi.setConfig({ testTimeout: 20_000 })
const program = { timeout: 40_000 }

describe("faults", oneByOne, () => {
  const deaths = [
    ["exit", { exitCode: 3 }],
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

  it.live.each(["abort", "heap"])(
    "F1: a process that aborts, by itself or out of memory, costs its own task and no other: %s",
    (how) =>
      Effect.gen(function*() {
        const { stdout } = yield* Program.run("deaths.ts", { argv: [isolation, how] })
        const { reason, ...others } = JSON.parse(stdout)
        assert.deepInclude(reason, { _tag: "WorkerExited", signal: "SIGABRT" })
        assert.deepStrictEqual(others, { behind: 2, other: 1 })
      }),
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

  it.live("F1: a process that dies in the middle of a batch costs its own task, and all others run once", () =>
    withPool({ isolation, maxThreads: 2 }, (pool) =>
      Effect.gen(function*() {
        const [warm, marked] = [yield* FileGate.make, yield* FileGate.make]
        const numbers = Array.from({ length: 200 }, (_, i) => i)
        const run = (gate: string, one: number) =>
          Effect.forEach(numbers, (i) => Effect.exit(pool.run(processes.diesAt, gate, i, one)), { concurrency: 200 })
        yield* run(warm, -1)
        const exits = yield* run(marked, 77)
        assert.strictEqual(yield* Effect.map(reasonOf(exits[77]!), ({ _tag }) => _tag), "WorkerExited")
        exits[77] = Exit.succeed({ i: 77 })
        assert.deepStrictEqual(exits, numbers.map((i) => Exit.succeed({ i })))
        assert.strictEqual(FileGate.pids(marked).length, numbers.length)
      })))

  it.live("F1: results that a process has sent before its end are not lost", () =>
    withPool({ isolation, maxThreads: 1 }, (pool) =>
      Effect.gen(function*() {
        for (let i = 0; i < 5; i++) assert.strictEqual(yield* pool.run(processes.diesAtOnce), "last words")
      })))

  it.live.skipIf(windows)(
    "SIGINT and SIGTERM to the whole group leave the running task alone",
    () =>
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
        }))
  )
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

  it.live.skipIf(windows)(
    "D4: it returns although a process is blocked in native code, and abandons nothing",
    () =>
      native.withFifo((fifo) =>
        Effect.gen(function*() {
          const { close, pool } = yield* closeable({ maxThreads: 1, shutdownTimeout: 0, gracePeriod: 0 })
          const handle = yield* pool.spawnDetached(native.read, fifo.path)
          yield* fifo.entered
          yield* close
          assert.deepInclude(yield* reasonOf(handle.join), { by: "Shutdown", stopped: "Terminated" })
          yield* assertQuiescent(pool)
        })
      )
  )
})

describe("programs", oneByOne, () => {
  it.live("a module with task and program is not started again by a pool process", () =>
    Effect.gen(function*() {
      const { code, stderr, stdout } = yield* Program.run("singleProcess.ts")
      assert.deepStrictEqual({ code, stderr, stdout }, { code: 0, stderr: "", stdout: "program started\n42\ntrue\n" })
    }), program)

  it.live(
    "P2: an idle process does not keep the program alive, a busy one does, and both end with the program",
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
