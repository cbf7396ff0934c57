import { assert, describe, it } from "@effect/vitest"
import { Task } from "effect-blocking"
import { Coroutine } from "../../../src/internal/scheduler/coroutine.ts"
import type { PoolThread } from "../../../src/internal/scheduler/poolThread.ts"
import { RunDetails, type RunExit } from "../../../src/internal/scheduler/run.ts"
import { resolve, resolveStream } from "../../../src/internal/task/resolved.ts"
import * as protocol from "../../../src/internal/wire/protocol.ts"
import { reasonOf, setup, task } from "../../utils/simulatedScheduler.ts"

const stream = Task.stream(import.meta.url, "stream", function*(n: number): Generator<number, void> {
  yield n
})

const streamSetup = (options: Task.DerivedStreamOptions = {}) => {
  const pool = setup({ maxThreads: 1 })
  let exit: RunExit | undefined
  const details = new RunDetails()
  details.coroutine = new Coroutine(() => {})
  const run = pool.scheduler.submit(resolveStream(Task.with(stream, options)), [0], (ended) => {
    exit = ended
  }, details)
  const thread = pool.host.threads[0]!
  thread.ready()
  thread.enter()
  return {
    ...pool,
    run,
    thread,
    get exit() {
      return exit
    }
  }
}

describe("bodies that are left", () => {
  for (const onInterrupt of ["stop", "wait", "abandon"] as const) {
    it(`G4, G10: onInterrupt "${onInterrupt}": a lease waits for the close of a stream whose consumer left while its last chunk was on the way`, () => {
      const pool = streamSetup({ onInterrupt })
      const { host, run, scheduler, thread } = pool
      thread.leave(1, false, true)
      scheduler.stop(run, "Close")
      const granted: Array<PoolThread> = []
      scheduler.requestLease(resolve(task), (leased) => granted.push(leased), () => {})
      thread.notify()
      assert.isTrue(thread.isClosing)
      assert.strictEqual(granted.length, 0)
      thread.enter()
      thread.end(0, protocol.Stopped, undefined, false)
      assert.isDefined(pool.exit)
      assert.deepStrictEqual(granted.map(({ ordinal }) => ordinal), [1])
      assert.strictEqual(host.threads.length, 1, "no other thread is started for the lease")
    })
  }

  it("G7, G10: a lease waits for the close of a stream that has yielded what cannot cross", () => {
    const pool = streamSetup()
    const { host, scheduler, thread } = pool
    const granted: Array<PoolThread> = []
    scheduler.requestLease(resolve(task), (leased) => granted.push(leased), () => {})
    thread.leave(1, true, false)
    assert.isTrue(thread.isClosing)
    thread.enter()
    thread.end(0, protocol.Stopped, undefined, false)
    assert.deepInclude(reasonOf(pool), { _tag: "NotCloneable" })
    assert.deepStrictEqual(granted.map(({ ordinal }) => ordinal), [1])
    assert.strictEqual(host.threads.length, 1)
  })
})
