/** Runs as Effect streams and sinks, pulled chunk by chunk and one chunk ahead in both directions. */
import type * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Sink from "effect/Sink"
import * as Stream from "effect/Stream"
import type { Lease } from "../../Blocking.ts"
import type { JoinError } from "../../JoinError.ts"
import type { PipeTask, SinkTask, StreamTask } from "../../Task.ts"
import { Coroutine } from "../scheduler/coroutine.ts"
import { Done, type Run, RunDetails, type RunExit, type StopBy } from "../scheduler/run.ts"
import type { Scheduler } from "../scheduler/scheduler.ts"
import { type ResolvedTask, resolvePipe, resolveSink, resolveStream } from "../task/resolved.ts"
import { afterCallbacks, detailsOf, waitedForBy } from "./callbacks.ts"
import { collect, Feed } from "./feed.ts"
import { isWaitedFor, stopAndWait } from "./stopping.ts"
import { beginSpan, traced } from "./tracing.ts"

type Elements<A> = Arr.NonEmptyReadonlyArray<A>
type Chunk<A, E> = Effect.Effect<Elements<A>, E | JoinError | Cause.Done>

/** Where runs are submitted: a pool or one of its leases. */
export interface Target {
  readonly key: string
  readonly scheduler: Scheduler
  /** Submits a run; `undefined` if it ended at once. */
  readonly submit: (
    task: ResolvedTask,
    args: Array<unknown>,
    onEnd: (exit: RunExit, run: Run) => void,
    details: RunDetails
  ) => Run | undefined
  /** A thread for an exclusive run; `undefined` if the target is already a lease. */
  readonly leaseScoped: Effect.Effect<Lease, JoinError, Scope.Scope> | undefined
}

/** Runs a task as a stream of its yielded elements. It is submitted when the stream is run, and closed with it. */
export const streamOn = (target: Target): Lease["stream"] => (task, ...args) =>
  Stream.suspend(() =>
    resolveStream(task).exclusive && target.leaseScoped !== undefined
      ? Stream.unwrap(Effect.map(target.leaseScoped, (lease) => lease.stream(task, ...args)))
      : sourceOf(target, task, args)
  )

const sourceOf = <Args extends ReadonlyArray<unknown>, A, E, R>(
  target: Target,
  task: StreamTask<Args, A, E, R>,
  args: ReadonlyArray<unknown>
): Stream.Stream<A, E | JoinError, R> =>
  Stream.scoped(Stream.fromPull(Effect.uninterruptible(
    Effect.flatMap(Effect.scope, (scope) => {
      const source = new Source<A, E>(target, resolveStream(task), task, args, undefined)
      return Effect.as(Scope.addFinalizerExit(scope, source.close), source.pull)
    })
  )))

/** Runs a task as a sink. The stream is pulled in a fiber of its own; that fiber and the run end together. */
export const sinkOn = (target: Target): Lease["sink"] =>
<Args extends ReadonlyArray<unknown>, In, A, E, R>(
  task: SinkTask<Args, In, A, E, R>,
  ...args: Args
): Sink.Sink<A, In, never, E | JoinError, R> =>
  Sink.fromTransform((upstream) =>
    Effect.gen(function*() {
      const { scheduler } = target
      const resolved = resolveSink(task)
      const whole = scheduler.host.wholeInput === true ? yield* collect(upstream) : undefined
      const feed = new Feed(whole)
      const outcome = Effect.callback<A, E | JoinError>((resume) => {
        const span = beginSpan(target.key, task)
        const details = detailsOf(scheduler, resolved, span, feed)!
        const onEnd = traced(span, (exit) => resume(exit as Effect.Effect<A, E | JoinError>))
        const run = target.submit(resolved, Array.from(args), afterCallbacks(details, onEnd), details)
        feed.run = run
        return run && stopAndWait(scheduler, [run], "Interrupt")
      })
      const value = yield* (whole === undefined
        ? Effect.raceFirst(outcome, Effect.andThen(feedFrom(scheduler, feed, upstream), Effect.never))
        : outcome)
      return [value] as const
    })
  )

/** Runs a task as a pipe: a source with another stream as its input. */
export const pipeOn = (target: Target): Lease["pipe"] => (task, ...args) => (self) =>
  Stream.suspend(() =>
    resolvePipe(task).exclusive && target.leaseScoped !== undefined
      ? Stream.unwrap(Effect.map(target.leaseScoped, (lease) => lease.pipe(task, ...args)(self)))
      : pipeOf(target, task, args, self)
  )

const pipeOf = <Args extends ReadonlyArray<unknown>, In, A, E, R, E0, R0>(
  target: Target,
  task: PipeTask<Args, In, A, E, R>,
  args: ReadonlyArray<unknown>,
  self: Stream.Stream<In, E0, R0>
): Stream.Stream<A, E0 | E | JoinError, R | R0> =>
  Stream.scoped(Stream.fromPull(Effect.uninterruptible(
    Effect.gen(function*() {
      const scope = yield* Effect.scope
      const upstream = yield* Stream.toPull(self)
      const isWhole = target.scheduler.host.wholeInput === true
      const feed = new Feed(isWhole ? yield* Effect.interruptible(collect(upstream)) : undefined)
      const source = new Source<A, E | E0>(target, resolvePipe(task), task, args, feed)
      yield* Scope.addFinalizerExit(scope, source.close)
      if (isWhole) return source.pull
      const feeding = yield* feedFrom(target.scheduler, feed, upstream).pipe(
        Effect.onExit((exit) => Effect.sync(() => source.onFed(exit))),
        Effect.interruptible,
        Effect.forkIn(scope)
      )
      source.feeding = feeding
      return source.pull
    })
  )))

const feedFrom = <In, E, R>(
  scheduler: Scheduler,
  feed: Feed,
  upstream: Pull.Pull<Elements<In>, E, void, R>
): Effect.Effect<void, E, R> =>
  Effect.andThen(feed.asked, Effect.suspend(() => waitedForBy(scheduler, feed.run!, feed.from(upstream))))

class Source<A, E> {
  /** The chunk that arrived ahead of a pull: one part, or two if its body has waited. */
  private readonly ahead: Array<Elements<A>> = []
  private exit: Chunk<A, E> | undefined
  private waiting: ((chunk: Chunk<A, E>) => void) | undefined
  private hasYielded = false
  /** The fiber that pulls the input. */
  feeding: Fiber.Fiber<void, E> | undefined
  /** The failure of the input. The body is stopped, and the stream ends with this failure. */
  private upstreamFailure: Exit.Exit<never, E> | undefined
  private readonly scheduler: Scheduler
  private readonly run: Run | undefined

  constructor(
    target: Target,
    resolved: ResolvedTask,
    task: Parameters<typeof beginSpan>[1],
    args: ReadonlyArray<unknown>,
    feed: Feed | undefined
  ) {
    this.scheduler = target.scheduler
    const span = beginSpan(target.key, task)
    const details = detailsOf(this.scheduler, resolved, span, feed) ?? new RunDetails()
    details.coroutine = new Coroutine((elements) => this.onElements(elements as unknown as Elements<A>))
    const onEnd = traced(span, (exit) => this.onEnd(exit as Exit.Exit<void, E | JoinError>))
    this.run = target.submit(resolved, Array.from(args), afterCallbacks(details, onEnd), details)
    if (feed !== undefined) feed.run = this.run
  }

  readonly pull: Chunk<A, E> = Effect.suspend(() => {
    const ahead = this.ahead.shift()
    if (ahead !== undefined) {
      if (this.ahead.length === 0) this.resumeBody()
      return Effect.succeed(ahead)
    }
    return this.exit ?? this.next
  })

  private readonly next: Chunk<A, E> = Effect.callback((resume) => {
    this.waiting = resume
    this.resumeBody()
    // The body makes the awaited chunk and may make one more ahead, but not after the first element: the
    // consumer may want only that one.
    if (this.hasYielded && this.run !== undefined) this.scheduler.coroutines.letGoOn(this.run)
    return Effect.sync(() => {
      this.waiting = undefined
    })
  })

  /** Resumes the body if it is suspended. */
  private resumeBody(): void {
    if (this.run !== undefined) this.scheduler.coroutines.resume(this.run)
  }

  private onElements(elements: Elements<A>): void {
    const { hasYielded, waiting } = this
    if (waiting === undefined) {
      this.ahead.push(elements)
      return
    }
    this.waiting = undefined
    this.hasYielded = true
    // The first element is delivered before the body resumes, for a consumer that wants only one. Later,
    // the body runs while the consumer works.
    if (hasYielded) this.resumeBody()
    waiting(Effect.succeed(elements))
    if (!hasYielded && this.ahead.length === 0) this.resumeBody()
  }

  private onEnd(exit: Exit.Exit<void, E | JoinError>): void {
    const { waiting } = this
    this.waiting = undefined
    const end = this.upstreamFailure ?? exit
    this.exit = Exit.isSuccess(end) ? Cause.done() : Exit.failCause(end.cause)
    // The body needs no more input: stop pulling it.
    this.feeding?.interruptUnsafe()
    waiting?.(this.exit)
  }

  /** Called when the input has ended. */
  onFed(exit: Exit.Exit<void, E>): void {
    const { run, scheduler } = this
    if (Exit.isSuccess(exit) || run === undefined || run.state === Done) return
    this.upstreamFailure = Exit.failCause(exit.cause)
    scheduler.stop(run, "Interrupt")
    if (!isWaitedFor(run)) this.onEnd(exit)
  }

  /** Ends the body, if it has not ended, and waits until it has. */
  readonly close = (exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> => {
    const { run, scheduler } = this
    if (run === undefined || run.state === Done) return Effect.void
    this.ahead.length = 0
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
