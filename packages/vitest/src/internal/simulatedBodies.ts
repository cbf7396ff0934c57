/**
 * The bodies of a simulated thread: the task's own body or its stub, admitted when the test allows it, and
 * called in the context of the simulated thread.
 */
import * as ThreadRunner from "effect-blocking/ThreadRunner"
import { receiving } from "./lateErrors.ts"
import type { SimulatedThread } from "./simulatedHost.ts"

export class SimulatedBodies implements ThreadRunner.BodyStrategy {
  /** Between two runs, a stub may be set and a task may be defined again. */
  readonly reused = false
  /** The running body, and the real time at which it first read its stop flag since it was called or resumed; 0 before that. */
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
    return this.thread.host.plans.onBody(module, name, this.thread)
  }

  readonly call = (sequence: number, run: (args: Array<unknown>) => unknown, args: Array<unknown>): unknown => {
    const { body } = this
    // A body that is resumed has been out of the test's thread.
    this.firstCheckAt = 0
    return ThreadRunner.within(
      this.context!,
      sequence,
      () => receiving((error) => this.thread.onLateError(error, body), () => run(args))
    )
  }

  /**
   * Ends a body that polls its stop flag for too long: it cannot be asked to stop while it blocks the test's
   * own thread, and would hang the test silently.
   */
  private check(): void {
    const now = performance.now()
    if (this.firstCheckAt === 0) this.firstCheckAt = now
    else if (now - this.firstCheckAt > maxPollMillis) {
      throw new Error(
        `Task "${this.body}" has polled its stop flag for ${maxPollMillis} ms, but cannot be asked to stop while it ` +
          "runs on the test's own thread: hold or stub it, or test it on real threads (NodeBlocking.layer)"
      )
    }
  }
}

/** In real time. The same as Vitest's default test timeout. */
const maxPollMillis = 5000
