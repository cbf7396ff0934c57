/**
 * The program's side of callbacks. Each call runs in its own fiber, with the context of the fiber that runs
 * the task, and ends with the task (H1). Notifications are handled one at a time (H5).
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import type { AnyCallback } from "../../Callback.ts"
import { type Call, type CallTaker, notNamed } from "../scheduler/calls.ts"
import type { PoolThread } from "../scheduler/poolThread.ts"
import { Done, type Run, RunDetails, type RunExit, Suspended } from "../scheduler/run.ts"
import type { Scheduler } from "../scheduler/scheduler.ts"
import type { ResolvedTask } from "../task/resolved.ts"
import * as callbackKeys from "../wire/callbackKeys.ts"
import * as protocol from "../wire/protocol.ts"
import { encodeFailure, encodeThrown } from "../wire/thrown.ts"
import type { Feed } from "./feed.ts"
import type { TaskSpan } from "./tracing.ts"

// This module is loaded only in the program, where callbacks are service keys.
callbackKeys.becomeLike(Context.Service("effect-blocking/callback"))

/** A run whose body waits for the fiber. */
interface Frame {
  readonly scheduler: Scheduler
  readonly run: Run
}

const Frames = Context.Reference<ReadonlyArray<Frame>>("effect-blocking/CallbackFrames", { defaultValue: () => [] })

/** The runs of a pool whose bodies wait for the current fiber. */
const waitingRuns = (scheduler: Scheduler): ReadonlyArray<Run> => {
  // A fast path: this is called for each task, and most pools never use a callback.
  if (scheduler.calls.made === 0) return noRuns
  const frames = Fiber.getCurrent()?.getRef(Frames) ?? []
  return frames.flatMap((frame) => frame.scheduler === scheduler && frame.run.state !== Done ? [frame.run] : [])
}

const CallbackTypeId = "~effect-blocking/Callback"

const noRuns: ReadonlyArray<Run> = []

/**
 * Whether the current fiber is inside a callback that the thread waits for, so that the thread runs nothing
 * meanwhile.
 */
export const isWaitedForBy = (scheduler: Scheduler, thread: PoolThread): boolean =>
  waitingRuns(scheduler).some((run) => run.thread === thread && run.state !== Suspended)

/** The details that a run needs for its span and callbacks; `undefined` if it needs none of them. */
export const detailsOf = (
  scheduler: Scheduler,
  task: ResolvedTask,
  span: TaskSpan | undefined,
  feed?: Feed
): RunDetails | undefined => {
  const nested = waitingRuns(scheduler).length > 0
  if (span === undefined && !task.mayWait && !nested) return undefined
  const details = new RunDetails()
  details.nested = nested
  if (task.mayWait) details.calls = new Callbacks(scheduler, task.callbacks ?? noCallbacks, span, feed)
  return details
}

const noCallbacks: ReadonlyMap<string, AnyCallback> = new Map()

/** Runs an effect that the body of `run` waits for. Tasks submitted by the effect must not wait for that body. */
export const waitedForBy = <A, E, R>(
  scheduler: Scheduler,
  run: Run,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.flatMap(Frames, (frames) => Effect.provideService(effect, Frames, [...frames, { scheduler, run }]))

export const callbacksOf = (run: Run): Callbacks | undefined => run.details?.calls as Callbacks | undefined

/** Delays `onEnd` until the callback fibers of the run have ended. */
export const afterCallbacks = (
  details: RunDetails | undefined,
  onEnd: (exit: RunExit, run: Run) => void
): (exit: RunExit, run: Run) => void => {
  const callbacks = details?.calls as Callbacks | undefined
  return callbacks === undefined ? onEnd : (exit, run) => callbacks.whenEnded(() => onEnd(exit, run))
}

type Handler = (...args: ReadonlyArray<unknown>) => Effect.Effect<unknown, unknown>

class Callbacks implements CallTaker {
  private readonly fibers = new Set<Fiber.Fiber<unknown, unknown>>()
  private readonly endListeners: Array<() => void> = []
  /** Notifications not yet handled, and barriers that wait for them. The first entry is being handled. */
  private readonly notifications: Array<Call> = []
  /** The first defect of a notification handler. */
  private defect: unknown
  private stopped = false
  private readonly context: Context.Context<never>
  private readonly traced: boolean
  private readonly scheduler: Scheduler
  private readonly callbacks: ReadonlyMap<string, AnyCallback>
  private readonly feed: Feed | undefined

  constructor(
    scheduler: Scheduler,
    callbacks: ReadonlyMap<string, AnyCallback>,
    span: TaskSpan | undefined,
    feed: Feed | undefined
  ) {
    this.scheduler = scheduler
    this.feed = feed
    this.callbacks = callbacks
    const context = Fiber.getCurrent()?.context ?? Context.empty()
    this.traced = span !== undefined
    this.context = span === undefined ? context : Context.add(context, Tracer.ParentSpan, span.span)
  }

  readonly onCall = (call: Call, run: Run): void => {
    if (call.callback === protocol.inputKey && this.feed !== undefined) return this.feed.ask(call)
    const callback = call.callback === undefined ? undefined : this.callbacks.get(call.callback)
    if (callback === undefined && call.callback !== undefined) {
      return call.answer(protocol.Refused, notNamed(run))
    }
    if (callback?.[CallbackTypeId].kind === "call") {
      return this.start(call, run, (exit) => {
        if (!this.stopped) call.answer(...answerOf(exit))
      })
    }
    this.notifications.push(call)
    if (this.notifications.length === 1) this.handleNext(run)
  }

  /** Handles notifications until one does not complete synchronously. */
  private handleNext(run: Run): void {
    while (true) {
      const call = this.notifications[0]
      if (call === undefined) return
      if (call.callback === undefined) {
        this.notifications.shift()
        if (this.defect === undefined) call.answer(protocol.Succeeded, undefined)
        else call.answer(protocol.Panicked, this.defect)
        continue
      }
      let ended = false
      let isSync = true
      this.start(call, run, (exit) => {
        ended = true
        if (Exit.isFailure(exit) && !this.stopped) this.defect ??= answerOf(exit)[1]
        this.notifications.shift()
        if (!isSync) this.handleNext(run)
      })
      isSync = false
      if (!ended) return
    }
  }

  private start({ answer, args, callback }: Call, run: Run, onExit: (exit: RunExit) => void): void {
    const handler = this.context.mapUnsafe.get(callback!) as Handler | undefined
    if (handler === undefined) {
      answer(protocol.Refused, notProvided)
      return onExit(Exit.die(new Error(`Callback "${callback}" ${notProvided}`)))
    }
    const effect = Effect.suspend(() => handler(...args))
    const frame: Frame = { scheduler: this.scheduler, run }
    const fiber = Effect.runForkWith(
      Context.add(this.context, Frames, [...Context.get(this.context, Frames), frame])
    )(this.traced ? Effect.withSpan(effect, `callback ${callback}`) : effect)
    this.fibers.add(fiber)
    fiber.addObserver((exit) => {
      this.fibers.delete(fiber)
      onExit(exit)
      if (this.fibers.size === 0) { for (const listener of this.endListeners.splice(0)) listener() }
    })
  }

  readonly onStop = (): void => {
    this.stopped = true
    this.notifications.length = 0
    for (const fiber of Array.from(this.fibers)) fiber.interruptUnsafe()
  }

  whenEnded(listener: () => void): void {
    if (this.fibers.size === 0) listener()
    else this.endListeners.push(listener)
  }

  readonly ended: Effect.Effect<void> = Effect.callback((resume) => this.whenEnded(() => resume(Effect.void)))
}

const answerOf = (exit: RunExit): readonly [status: number, value: unknown] => {
  if (Exit.isSuccess(exit)) return [protocol.Succeeded, exit.value]
  const error = Exit.findErrorOption(exit)
  if (Option.isNone(error)) {
    const thrown = Cause.hasInterruptsOnly(exit.cause) ? new Error(interrupted) : Cause.squash(exit.cause)
    return [protocol.Panicked, encodeThrown(thrown)]
  }
  const encoded = encodeFailure(error.value)
  return "value" in encoded
    ? [protocol.Failed, encoded.value]
    : [protocol.NotCloneable, { side: "failure", ...encoded } satisfies protocol.NotCloneableValue]
}

const interrupted = "The callback was interrupted, but its task was not"

const notProvided = "is not provided: provide it where the task is run, with Effect.provideService or a layer"
