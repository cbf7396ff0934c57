/**
 * A `ThreadHost` without threads: each of its threads is a runner of the pool's own kind
 * on the test's thread. Messages are cloned as a real thread would have them, and arrive
 * in a microtask; time is that of the given clock.
 */
import type * as ThreadHost from "effect-blocking/ThreadHost"
import * as ThreadRunner from "effect-blocking/ThreadRunner"
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Plans } from "./plans.ts"
import { SimulatedBodies } from "./simulatedBodies.ts"

/** A test clock starts at 0, which the scheduler takes for no time at all. Arbitrary. */
const originMillis = 1000

/** How long a thread is waited for that has something to do, in real time. Arbitrary: only a module that does not finish loading takes as long. */
const longestAnswerMillis = 1000

/** Node's own, whatever a test puts in its place later. */
const nextMacrotask: (callback: () => void) => void = globalThis.setImmediate

interface Timer {
  readonly at: number
  readonly callback: () => void
  cancel: () => void
}

export class SimulatedHost implements ThreadHost.ThreadHost {
  /** Nothing waits behind another task: what would move on after a moment would do so only when the test moves the clock. */
  readonly maxTasksPerThread = 1
  /** Bodies run on the test's own thread, which cannot wait for itself. */
  readonly wholeInput = true
  private readonly timers = new Set<Timer>()
  /** How far its time is ahead of the clock's. */
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

  /** From here on timers wait for the threads and each other, and for no clock: nobody moves it any more. */
  forceShutdown(): void {
    this.forced = true
    for (const timer of this.timers) timer.cancel()
    this.fireNext()
  }

  // Seconds lie between two of them by the clock, and in those a thread says what it has to say, and a
  // fiber what it wants of the pool: they come before the next one.
  private fireNext(): void {
    if (this.firing) return
    this.firing = true
    const since = performance.now()
    const look = (): void => {
      if (this.isAnswering && performance.now() - since < longestAnswerMillis) return nextMacrotask(look)
      this.firing = false
      if (this.timers.size === 0) return
      const timer = Array.from(this.timers).reduce((first, other) => other.at < first.at ? other : first)
      this.aheadMillis += Math.max(0, timer.at - this.now())
      this.fire(timer)
      this.fireNext()
    }
    nextMacrotask(look)
  }

  /** Whether a thread has something to do before it waits for the scheduler, or for the test. */
  private get isAnswering(): boolean {
    const held = this.plans.heldOn(this)
    for (const thread of this.threads) {
      if (thread.mayBlock() && !held.some(({ state }) => state._tag === "Held" && state.thread === thread)) return true
    }
    return false
  }

  readonly nextTurn = (callback: () => void): void => queueMicrotask(callback)

  // Nothing here keeps a process alive, or has to.
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
  /** It is in native code that nothing ends. */
  stuck = false
  private terminated = false
  /** Answers that came while a body waited. */
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
        // The body does not go on before the program has heard it.
        if (isCall(arrived)) this.call(arrived)
        else queueMicrotask(() => events.onMessage(arrived))
      },
      receive: () => {
        const answer = this.answers.shift()
        if (answer !== undefined) return answer
        throw new Error(
          "A body called its program, and was not answered at once. BlockingTest runs bodies on the test's own thread, " +
            "which cannot wait: give a callback that does not (no sleep, no other fiber), or test it on real threads " +
            "(NodeBlocking.layer)"
        )
      },
      // The module of a task is loaded already: it was needed to name the task.
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

  /** A body tells the program something. Not in the context of the body: what the program does about it is its own. */
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

  /** A task has left an error behind. What a thread leaves behind ends with it, but this one's cannot be ended. */
  onLateError(error: unknown, task: string): void {
    if (!this.gone) return this.runner.onUncaught(error)
    // Not through a logger: the layer can be gone.
    // oxlint-disable-next-line eslint/no-console
    console.warn(
      `Task "${task}" left work behind that failed after the task's thread had ended. On a real thread it would not have run:`,
      error
    )
  }

  /** It was to be ended, and is not. */
  get isAbandoned(): boolean {
    return this.stuck && this.terminated
  }

  /** Its native code has returned; whether it can go on. */
  unstick(): boolean {
    this.stuck = false
    if (this.terminated) this.exit(1)
    return !this.gone
  }

  /** Ends it, wherever it is. */
  exit(exitCode: number): void {
    if (this.gone) return
    this.gone = true
    this.host.plans.onExit(this)
    queueMicrotask(() => this.events.onExit({ exitCode, signal: undefined, outOfMemory: false, cause: undefined }))
  }
}

/** A reason that a test has injected is an instance of its class, and stays one. */
const injected = 6

/** A call whose body waits for the answer, and what it says before. */
const isCall = (message: unknown): boolean => Array.isArray(message) && message[0] === 4 && (message[2] as number) >= 0

const isAnswer = (message: unknown): boolean => Array.isArray(message) && message[0] === 4

const clone = (message: unknown, transfer: Array<object> | undefined): unknown => {
  if (Array.isArray(message) && message[0] === 1 && message[2] === injected) return message
  return structuredClone(message, { transfer: (transfer ?? []) as Array<ArrayBuffer> })
}
