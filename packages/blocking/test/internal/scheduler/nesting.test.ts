import { assert, describe, it } from "@effect/vitest"
import { Exit } from "effect"
import { Callback, Task } from "effect-blocking"
import type { Call } from "../../../src/internal/scheduler/calls.ts"
import { Coroutine } from "../../../src/internal/scheduler/coroutine.ts"
import { RunDetails, type RunExit } from "../../../src/internal/scheduler/run.ts"
import { resolve, resolveStream } from "../../../src/internal/task/resolved.ts"
import * as protocol from "../../../src/internal/wire/protocol.ts"
import type { SimulatedThread } from "../../utils/simulatedHost.ts"
import { reasonOf, setup } from "../../utils/simulatedScheduler.ts"

class Program extends Callback.Service<Program>()("nesting/Program", Callback.fn<[], number>()) {}

const calling = resolve(Task.make(import.meta.url, "calling", (n: number) => n, { callbacks: [Program] }))
const asking = resolveStream(Task.stream(
  import.meta.url,
  "asking",
  function*(n: number): Generator<number, void> {
    yield n
  },
  { callbacks: [Program] }
))

const begin = (thread: SimulatedThread | undefined): void => {
  thread!.ready()
  thread!.enter()
}

const nestingSetup = () => {
  const pool = setup({ maxThreads: 1 })
  const submit = (task: typeof calling, coroutine?: Coroutine) => {
    let exit: RunExit | undefined
    let stops = 0
    const calls: Array<Call> = []
    const details = new RunDetails()
    details.coroutine = coroutine
    details.calls = { onCall: (call) => calls.push(call), onStop: () => stops++ }
    const run = pool.scheduler.submit(task, [0], (ended) => {
      exit = ended
    }, details)
    return {
      run,
      calls,
      get exit() {
        return exit
      },
      get stops() {
        return stops
      }
    }
  }
  return { ...pool, call: () => submit(calling), open: () => submit(asking, new Coroutine(() => {})) }
}

describe("nesting", () => {
  it("H4: a thread that dies while its body waits fails the task, and stops its call", () => {
    const { call, host, submit } = nestingSetup()
    const run = call()
    begin(host.threads[0])
    host.threads[0]!.call()
    assert.strictEqual(run.calls.length, 1)
    host.threads[0]!.exit(3)
    assert.deepInclude(reasonOf(run), { _tag: "WorkerExited", exitCode: 3 })
    assert.isAbove(run.stops, 0)
    // The answer is dropped, and the place is free.
    run.calls[0]!.answer(protocol.Succeeded, 1)
    const after = submit(1)
    begin(host.threads[1])
    host.threads[1]!.finish(1)
    assert.deepStrictEqual(after.exit, Exit.succeed(1))
  })

  it("G10: a task that waits long behind streams that are not pulled is reported, once, and runs when one of them ends", () => {
    const { call, events, host, open, scheduler, submit } = nestingSetup()
    const [first] = [open(), open()]
    for (const index of [0, 1]) {
      begin(host.threads[index])
      host.threads[index]!.leave(1, false, false)
    }
    const waiting = call()
    host.advance(4999)
    assert.deepStrictEqual(events, [])
    host.advance(1)
    assert.deepStrictEqual(events, [{ _tag: "HeldUp", task: "calling", threads: 2 }])
    // Any thread can take another task.
    const other = submit(1)
    const busy = host.threads.find(({ inbox }) => inbox.length > 0)!
    busy.enter()
    busy.finish(1)
    assert.isTrue(Exit.isSuccess(other.exit!))
    host.advance(60_000)
    assert.strictEqual(events.length, 1)
    scheduler.stop(first.run, "Close")
    host.threads[0]!.enter()
    host.threads[0]!.end(0, protocol.Stopped, undefined, false)
    const free = host.threads.find(({ inbox }) => inbox.length > 0)!
    free.enter()
    free.finish(0)
    assert.deepStrictEqual(waiting.exit, Exit.succeed(0))
  })
})
