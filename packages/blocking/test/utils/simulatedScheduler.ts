/** A scheduler on a simulated host, and the exits of its runs. */
import { assert } from "@effect/vitest"
import { Exit, Option } from "effect"
import { type JoinError, Task } from "effect-blocking"
import type { SchedulerEvent } from "../../src/internal/scheduler/events.ts"
import type { SchedulerOptions } from "../../src/internal/scheduler/options.ts"
import type { RunExit } from "../../src/internal/scheduler/run.ts"
import { Scheduler } from "../../src/internal/scheduler/scheduler.ts"
import { resolve } from "../../src/internal/task/resolved.ts"
import type { PayloadPlatform } from "../../src/internal/wire/payload.ts"
import { SimulatedHost } from "./simulatedHost.ts"

export const task = Task.make(import.meta.url, "task", (n: number) => n)

const defaults: SchedulerOptions = {
  minThreads: 0,
  maxThreads: 2,
  keepAliveMillis: 10_000,
  queueCapacity: 100,
  onFull: "suspend",
  shutdownMillis: 1000,
  graceMillis: 100,
  terminateMillis: 50,
  resourceLimits: {},
  threadData: undefined,
  preload: [],
  recycle: undefined
}

export const setup = (options?: Partial<SchedulerOptions>, payloads?: PayloadPlatform) => {
  const host = new SimulatedHost(payloads)
  const events: Array<SchedulerEvent> = []
  const scheduler = new Scheduler(host, { ...defaults, ...options }, (event) => events.push(event))
  const submit = (n: unknown, options: Task.DerivedOptions = {}) => {
    let exit: RunExit | undefined
    const run = scheduler.submit(resolve(Task.with(task, options)), [n], (ended) => {
      exit = ended
    })
    return {
      run,
      get exit() {
        return exit
      }
    }
  }
  return { host, events, scheduler, submit }
}

export const reasonOf = ({ exit }: { readonly exit: RunExit | undefined }) => {
  assert.isDefined(exit)
  const error = Option.getOrThrow(Exit.findErrorOption(exit)) as JoinError.JoinError
  return error.reason
}
