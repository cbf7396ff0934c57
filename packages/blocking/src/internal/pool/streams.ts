/** A run as a `Stream`: pulled chunk by chunk, and one chunk ahead. */
import type * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { JoinError } from "../../JoinError.ts"
import { Done, type Run, type RunExit, type StopBy } from "../scheduler/run.ts"
import type { Scheduler } from "../scheduler/scheduler.ts"
import { isWaitedFor } from "./stopping.ts"

type Elements<A> = Arr.NonEmptyReadonlyArray<A>
type Chunk<A, E> = Effect.Effect<Elements<A>, E | JoinError | Cause.Done>

/** Submits the run of a stream. */
export type Open = (
  onElements: (elements: Array<unknown>) => void,
  onEnd: (exit: RunExit) => void
) => Run | undefined

/** The stream of what a run yields: it is submitted when the stream is run, and closed with it. */
export const fromRun = <A, E>(scheduler: Scheduler, open: Open): Stream.Stream<A, E | JoinError> =>
  Stream.scoped(Stream.fromPull(Effect.uninterruptible(
    Effect.flatMap(Effect.scope, (scope) => {
      const source = new Source<A, E>(scheduler, open)
      return Effect.as(Scope.addFinalizerExit(scope, source.close), source.pull)
    })
  )))

class Source<A, E> {
  /** What has come and was not pulled: the chunk ahead. */
  private ahead: Elements<A> | undefined
  private exit: Chunk<A, E> | undefined
  private waiting: ((chunk: Chunk<A, E>) => void) | undefined
  private hasYielded = false
  private readonly scheduler: Scheduler
  private readonly run: Run | undefined

  constructor(scheduler: Scheduler, open: Open) {
    this.scheduler = scheduler
    this.run = open(
      (elements) => this.onElements(elements as unknown as Elements<A>),
      (exit) => this.onEnd(exit as Exit.Exit<void, E | JoinError>)
    )
  }

  readonly pull: Chunk<A, E> = Effect.suspend(() => {
    const { ahead } = this
    if (ahead !== undefined) {
      this.ahead = undefined
      this.goOn()
      return Effect.succeed(ahead)
    }
    return this.exit ?? this.next
  })

  private readonly next: Chunk<A, E> = Effect.callback((resume) => {
    this.waiting = resume
    this.goOn()
    return Effect.sync(() => {
      this.waiting = undefined
    })
  })

  /** The body runs on, if it was left. */
  private goOn(): void {
    if (this.run !== undefined) this.scheduler.coroutines.resume(this.run)
  }

  private onElements(elements: Elements<A>): void {
    const { hasYielded, waiting } = this
    if (waiting === undefined) {
      this.ahead = elements
      return
    }
    this.waiting = undefined
    this.hasYielded = true
    // Who wants a single element has it before the body goes on; later the body runs while its elements are worked on.
    if (hasYielded) this.goOn()
    waiting(Effect.succeed(elements))
    if (!hasYielded && this.ahead === undefined) this.goOn()
  }

  private onEnd(exit: Exit.Exit<void, E | JoinError>): void {
    const { waiting } = this
    this.waiting = undefined
    this.exit = Exit.isSuccess(exit) ? Cause.done() : Exit.failCause(exit.cause)
    waiting?.(this.exit)
  }

  /** Ends the body if it has not ended, and waits for that. */
  readonly close = (exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> => {
    const { run, scheduler } = this
    if (run === undefined || run.state === Done) return Effect.void
    this.ahead = undefined
    const by: StopBy = Exit.isSuccess(exit) || Pull.isDoneCause(exit.cause) ? "Close" : "Interrupt"
    return Effect.callback((resume) => {
      scheduler.stop(run, by)
      if (!isWaitedFor(run)) return resume(Effect.void)
      const done = (): void => resume(Effect.void)
      run.details!.coroutine!.onReleased = done
      scheduler.outcomes.observe(run, done)
    })
  }
}
