/**
 * A `ThreadHost` without threads: each simulated thread is a real `ThreadRunner` on the test's thread.
 * Messages are cloned as for a real thread and arrive in a microtask. Time is that of the given clock.
 */
import type * as ThreadHost from "effect-blocking/ThreadHost"
import * as ThreadRunner from "effect-blocking/ThreadRunner"
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Plans } from "./plans.ts"
import { SimulatedBodies } from "./simulatedBodies.ts"

/** Added to the clock, because a test clock starts at 0, and the scheduler reads 0 as "no time". Arbitrary. */
const originMillis = 1000

/**
 * How long a forced shutdown waits for a thread with work, in real time. Arbitrary: only a module that does
 * not finish loading takes this long.
 */
const maxAnswerMillis = 1000

/** Node's own function, even if a test replaces it later. */
const nextMacrotask: (callback: () => void) => void = globalThis.setImmediate

interface Timer {
  readonly at: number
  readonly callback: () => void
  cancel: () => void
}

export class SimulatedHost implements ThreadHost.ThreadHost {
  /**
   * No task is sent to wait behind another one: it would be moved to another thread only when the test moves
   * the clock.
   */
  readonly maxTasksPerThread = 1
  /** Bodies run on the test's own thread, which cannot wait for more input. */
  readonly wholeInput = true
  private readonly timers = new Set<Timer>()
  /** How far the host's time is ahead of the clock. */
  private aheadMillis = originMillis
  private forced = false
  private firing = false
  private readonly threads = new Set<SimulatedThread>()
  private readonly clock: Clock.Clock
  readonly context: Context.Context<never>
  readonly plans: Plans

  constructor(clock: Clock.Clock, context: Context.Context<never>, plans: Plans) {
    this.clock = clock
    this.context = context
    this.plans = plans
  }

  readonly now = (): number => this.clock.currentTimeMillisUnsafe() + this.aheadMillis

  readonly schedule = (delayMillis: number, callback: () => void): () => void => {
    const timer: Timer = { at: this.now() + delayMillis, callback, cancel: () => {} }
    this.timers.add(timer)
    if (this.forced) {
      this.fireNext()
    } else {
      const fiber = Effect.runForkWith(this.context)(
        Effect.andThen(this.clock.sleep(Duration.millis(delayMillis)), Effect.sync(() => this.fire(timer)))
      )
      timer.cancel = () => fiber.interruptUnsafe()
    }
    return () => {
      if (this.timers.delete(timer)) timer.cancel()
    }
  }

  private fire(timer: Timer): void {
    if (this.timers.delete(timer)) timer.callback()
  }

  /**
   * From here on, timers fire in order when the threads have no work left, without the clock: the test no
   * longer moves it.
   */
  forceShutdown(): void {
    this.forced = true
    for (const timer of this.timers) timer.cancel()
    this.fireNext()
  }

  // By the clock, seconds may lie between two timers, in which threads would answer and fibers would use
  // the pool. So these run before the next timer fires.
  private fireNext(): void {
    if (this.firing) return
    this.firing = true
    const since = performance.now()
    const fireWhenIdle = (): void => {
      if (this.isAnswering && performance.now() - since < maxAnswerMillis) return nextMacrotask(fireWhenIdle)
      this.firing = false
      if (this.timers.size === 0) return
      const timer = Array.from(this.timers).reduce((first, other) => other.at < first.at ? other : first)
      this.aheadMillis += Math.max(0, timer.at - this.now())
      this.fire(timer)
      this.fireNext()
    }
    nextMacrotask(fireWhenIdle)
  }

  /** Whether a thread has work before it waits for the scheduler or the test. */
  private get isAnswering(): boolean {
    const held = this.plans.heldOn(this)
    for (const thread of this.threads) {
      if (thread.mayBlock() && !held.some(({ state }) => state._tag === "Held" && state.thread === thread)) return true
    }
    return false
  }

  readonly nextTurn = (callback: () => void): void => queueMicrotask(callback)

  // Simulated threads do not keep the process alive, and need not.
  readonly keepAlive = (): void => {}

  readonly spawn = (options: ThreadHost.ThreadOptions, events: ThreadHost.ThreadEvents): ThreadHost.Thread => {
    const thread = new SimulatedThread(this, options, {
      ...events,
      onExit: (exit) => {
        this.threads.delete(thread)
        events.onExit(exit)
      }
    })
    this.threads.add(thread)
    return thread
  }
}

export class SimulatedThread implements ThreadHost.Thread {
  readonly threadId: number
  private gone = false
  /** Whether the thread is in simulated native code, which cannot be terminated. */
  stuck = false
  private terminated = false
  /** Answers that arrived while a body waited. */
  private readonly answers: Array<unknown> = []
  private waiting = false
  readonly host: SimulatedHost
  readonly mayBlock: () => boolean
  private readonly events: ThreadHost.ThreadEvents
  private readonly runner: ThreadRunner.ThreadRunner

  constructor(
    host: SimulatedHost,
    { mayBlock, ordinal, start }: ThreadHost.ThreadOptions,
    events: ThreadHost.ThreadEvents
  ) {
    this.threadId = ordinal
    this.host = host
    this.mayBlock = mayBlock
    this.events = events
    const { threadData } = start as { readonly threadData: unknown }
    this.runner = ThreadRunner.start({
      start: { ...start as object, threadData: structuredClone(threadData) },
      post: (message, transfer) => {
        const arrived = clone(message, transfer)
        if (this.gone) return
        // The program must handle the call before the body continues.
        if (isCall(arrived)) this.call(arrived)
        else queueMicrotask(() => events.onMessage(arrived))
      },
      receive: () => {
        const answer = this.answers.shift()
        if (answer !== undefined) return answer
        throw new Error(
          "A task body called a callback that did not complete synchronously. BlockingTest runs bodies on the test's own thread, " +
            "which cannot wait: provide a callback that does not wait (no sleep, no other fiber), or test it on real " +
            "threads (NodeBlocking.layer)"
        )
      },
      // The test that has the task has already loaded its module.
      load: () => Promise.resolve(),
      now: host.now,
      heapUsed: () => 0,
      exit: () => this.exit(0),
      bodies: new SimulatedBodies(this)
    })
  }

  readonly post = (message: unknown, transfer: Array<object> | undefined): void => {
    const arrived = clone(message, transfer)
    if (this.waiting && isAnswer(arrived)) return void this.answers.push(arrived)
    queueMicrotask(() => {
      if (!this.gone) this.runner.onMessage(arrived)
    })
  }

  /** Handles a call of a body. It runs outside the context of the body, because the handler belongs to the program. */
  private call(message: unknown): void {
    this.answers.length = 0
    this.waiting = true
    try {
      ThreadRunner.without(() => this.events.onMessage(message))
    } finally {
      this.waiting = false
    }
  }

  readonly terminate = (): void => {
    this.terminated = true
    if (!this.stuck) this.exit(1)
  }

  /**
   * Handles a late error of a task. A real thread's timers end with it, but those of a simulated thread
   * survive.
   */
  onLateError(error: unknown, task: string): void {
    if (!this.gone) return this.runner.onUncaught(error)
    // Not through a logger, because the layer may be closed.
    // oxlint-disable-next-line eslint/no-console
    console.warn(
      `Task "${task}" left work behind that failed after its thread had ended. On a real thread, that work would not have run:`,
      error
    )
  }

  /** Whether the thread was terminated but could not be ended. */
  get isAbandoned(): boolean {
    return this.stuck && this.terminated
  }

  /** Ends the simulated native code. Returns whether the thread can continue. */
  unstick(): boolean {
    this.stuck = false
    if (this.terminated) this.exit(1)
    return !this.gone
  }

  /** Ends the thread, wherever it is. */
  exit(exitCode: number): void {
    if (this.gone) return
    this.gone = true
    this.host.plans.onExit(this)
    queueMicrotask(() => this.events.onExit({ exitCode, signal: undefined, outOfMemory: false, cause: undefined }))
  }
}

/** Status of an injected reason. Its message is not cloned, so that the reason stays an instance of its class. */
const injected = 6

/** Whether a message is a call, or a notification before it, of a body that waits for the answer. */
const isCall = (message: unknown): boolean => Array.isArray(message) && message[0] === 4 && (message[2] as number) >= 0

const isAnswer = (message: unknown): boolean => Array.isArray(message) && message[0] === 4

const clone = (message: unknown, transfer: Array<object> | undefined): unknown => {
  if (Array.isArray(message) && message[0] === 1 && message[2] === injected) return message
  return structuredClone(message, { transfer: (transfer ?? []) as Array<ArrayBuffer> })
}
