/**
 * The bodies of a simulated thread: the task's own or its stub, admitted when the test
 * lets them, in a context that is swapped in for each call.
 */
import * as ThreadRunner from "effect-blocking/ThreadRunner"
import { receiving } from "./lateErrors.ts"
import type { SimulatedThread } from "./simulatedHost.ts"

export class SimulatedBodies implements ThreadRunner.BodyStrategy {
  /** A stub can be given, and a task be made again, between two runs. */
  readonly reused = false
  /** The body that runs, and when it first looked at its stop flag, in real time; 0 if it has not. */
  private body = ""
  private firstCheckAt = 0
  private context: ThreadRunner.BodyContext | undefined
  private readonly thread: SimulatedThread

  constructor(thread: SimulatedThread) {
    this.thread = thread
  }

  readonly begin = (control: Int32Array, threadData: unknown): ThreadRunner.BodyContext =>
    this.context = { control, refresh: () => this.check(), threadData, locals: new Map(), releases: [] }

  readonly find = (module: string, name: string, registered: ThreadRunner.Body): ThreadRunner.Body =>
    this.thread.host.plans.stubOf(module, name) ?? registered

  readonly admit = (module: string, name: string): Promise<unknown> | undefined => {
    this.body = name
    this.firstCheckAt = 0
    return this.thread.host.plans.onBody(module, name, this.thread)
  }

  readonly call = (sequence: number, run: (args: Array<unknown>) => unknown, args: Array<unknown>): unknown => {
    const { body } = this
    return ThreadRunner.within(
      this.context!,
      sequence,
      () => receiving((error) => this.thread.onLateError(error, body), () => run(args))
    )
  }

  /** Nothing can ask a body to stop while it has the test's own thread: one that waits for that would hang it, mute. */
  private check(): void {
    const now = performance.now()
    if (this.firstCheckAt === 0) this.firstCheckAt = now
    else if (now - this.firstCheckAt > longestCheckMillis) {
      throw new Error(
        `Task "${this.body}" has looked for a stop for ${longestCheckMillis} ms. Nothing can ask it to stop while it runs ` +
          "on the test's own thread: hold or stub it, or test it on real threads (NodeBlocking.layer)"
      )
    }
  }
}

/** In real time; as long as a test may take in Vitest, by default. */
const longestCheckMillis = 5000
