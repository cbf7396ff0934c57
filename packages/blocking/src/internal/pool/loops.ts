/**
 * Drives loops: so many runs at once, each over a part of the items, until all of them are done or one has
 * settled it. The first by index does, as in a plain loop: what lies before it is still done, what lies
 * behind it is stopped.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type { Pool } from "../../Blocking.ts"
import { isJoinError, JoinError, NotCloneable } from "../../JoinError.ts"
import { joinError } from "../scheduler/outcome.ts"
import { FailedItem, type LoopTask } from "../task/loops.ts"
import type { LoopValue } from "../wire/loops.ts"

/** Some of the items, for one run. */
export interface Part {
  readonly args: Array<unknown>
  readonly first: number
  /** Which of its items it is in may be known by the error alone. */
  readonly last: number
  /** Whether it is behind that item, and will not come back to it. */
  readonly isBeyond: (index: number) => boolean
}

/** What is to be done. */
export interface Work<P extends Part> {
  /** The next part; `undefined`: there is none for now. */
  readonly take: () => P | undefined
  /** It was refused, and is to be taken again. */
  readonly putBack: (part: P) => void
  /** It has failed, or was stopped. */
  readonly onLost: (part: P) => void
  /** A part has given that. Answers from which item on nothing counts any more, if that is so. */
  readonly onDone: (part: P, value: LoopValue) => number | undefined
  /** Nothing from that item on counts any more. */
  readonly endAt: (index: number) => void
}

/** What has been done. */
export interface Report {
  /** How long the items took, all together. */
  itemMillis: number
  runs: number
  /** When the first item was begun, on the fiber's clock; `undefined` if none was. */
  beganAt: number | undefined
}

export const makeReport = (): Report => ({ itemMillis: 0, runs: 0, beganAt: undefined })

export const nowOf = (clock: Clock.Clock): number => Number(clock.currentTimeNanosUnsafe()) / 1e6

/**
 * Gives the index of the item that was found: the first, or `any`; fails as the first that failed.
 */
export const drive = <P extends Part, E, R>(
  pool: Pool,
  task: LoopTask<E, R>,
  work: Work<P>,
  lanes: number,
  any: boolean,
  report: Report
): Effect.Effect<number | undefined, E | JoinError, R> =>
  Effect.contextWith((context: Context.Context<R>) =>
    Effect.callback((resume) => {
      const driver = new Driver(pool, task, work, lanes, any, report, context, resume)
      driver.fill()
      return driver.stop
    })
  )

class Driver<P extends Part, E, R> {
  private readonly running = new Map<P, Fiber.Fiber<LoopValue, E | JoinError>>()
  private readonly stopped = new Set<P>()
  /** What ends it, and at which item. */
  private end: { readonly index: number; readonly exit: Exit.Exit<number, E | JoinError> } | undefined
  private filling = false
  private isOver = false
  private readonly clock: Clock.Clock
  private readonly pool: Pool
  private readonly task: LoopTask<E, R>
  private readonly work: Work<P>
  private lanes: number
  private readonly any: boolean
  private readonly report: Report
  private readonly context: Context.Context<R>
  private readonly resume: (exit: Exit.Exit<number | undefined, E | JoinError>) => void

  constructor(
    pool: Pool,
    task: LoopTask<E, R>,
    work: Work<P>,
    lanes: number,
    any: boolean,
    report: Report,
    context: Context.Context<R>,
    resume: (exit: Exit.Exit<number | undefined, E | JoinError>) => void
  ) {
    this.pool = pool
    this.task = task
    this.work = work
    this.lanes = lanes
    this.any = any
    this.report = report
    this.context = context
    this.resume = resume
    this.clock = Context.get(context, Clock.Clock)
  }

  /** Starts what can be started. A run that is refused comes back at once, from within. */
  fill(): void {
    if (this.filling || this.isOver) return
    this.filling = true
    while (this.running.size < this.lanes) {
      const part = this.work.take()
      if (part === undefined) break
      this.start(part)
    }
    this.filling = false
    if (this.running.size > 0) return
    this.isOver = true
    this.resume(this.end === undefined ? Exit.succeed(undefined) : this.end.exit)
  }

  private start(part: P): void {
    const fiber = Effect.runForkWith(this.context)(this.pool.run(this.task, ...part.args))
    this.running.set(part, fiber)
    this.report.runs++
    fiber.addObserver((exit) => {
      this.running.delete(part)
      // Interrupted from outside: whoever did it waits for all of them.
      if (this.isOver) return
      if (this.stopped.delete(part)) this.work.onLost(part)
      else this.onExit(part, exit)
      this.fill()
    })
  }

  private onExit(part: P, exit: Exit.Exit<LoopValue, E | JoinError>): void {
    const { report, work } = this
    if (Exit.isSuccess(exit)) {
      report.beganAt ??= nowOf(this.clock) - exit.value[0]
      report.itemMillis += exit.value[0]
      const index = work.onDone(part, exit.value)
      if (index !== undefined) this.endAt(this.any ? -1 : index, Exit.succeed(index))
      return
    }
    const error = Option.getOrUndefined(Exit.findErrorOption(exit))
    if (this.running.size > 0 && isJoinError(error) && error.reason._tag === "QueueFull") {
      // What has a place goes on alone.
      this.lanes = this.running.size
      report.runs--
      return work.putBack(part)
    }
    const cause = named(exit.cause, part)
    const index = indexOf(cause) ?? part.first
    work.onLost(part)
    this.endAt(index, Exit.failCause(cause))
  }

  private endAt(index: number, exit: Exit.Exit<number, E | JoinError>): void {
    if (this.end !== undefined && this.end.index <= index) return
    this.end = { index, exit }
    this.work.endAt(index)
    for (const [part, fiber] of this.running) {
      if (this.stopped.has(part) || !part.isBeyond(index)) continue
      this.stopped.add(part)
      fiber.interruptUnsafe()
    }
  }

  readonly stop: Effect.Effect<void> = Effect.suspend(() => {
    this.isOver = true
    return Fiber.interruptAll(Array.from(this.running.values()))
  })
}

/** The index of the item that has failed. */
export const indexOf = <E>(cause: Cause.Cause<E>): number | undefined => {
  const item = Context.getOrUndefined(Cause.annotations(cause), FailedItem)
  if (item !== undefined) return item.index
  const error = Option.getOrUndefined(Cause.findErrorOption(cause))
  return isJoinError(error) && error.lastItem === undefined ? error.item : undefined
}

/** The cause with what is known of the item: for some errors only its part is. */
export const named = <E>(
  cause: Cause.Cause<E | JoinError>,
  part: Pick<Part, "first" | "last">
): Cause.Cause<E | JoinError> => {
  const error = Option.getOrUndefined(Cause.findErrorOption(cause))
  if (!isJoinError(error) || error.item !== undefined) return cause
  const { id, module, reason, task } = error
  if (reason._tag === "NotCloneable") {
    const place = placeOf(reason.path, part.first)
    if (place === undefined) return cause
    const { detail, side } = reason
    const named = () => new NotCloneable({ side, path: place.path, detail })
    return Cause.fail(joinError({ name: task, module }, id, named, place.item))
  }
  if (!lostWithItems.has(reason._tag)) return cause
  const range = part.first === part.last ? { item: part.first } : { item: part.first, lastItem: part.last }
  return Cause.fail(new JoinError({ task, module, id, reason, ...range }))
}

/** What happens to a run in the middle of an item. */
const lostWithItems = new Set<string>(["WorkerExited", "OutOfMemory", "TimedOut", "Panicked"])

/** A place in the arguments, or in the value, of a chunk in terms of what its caller gave. */
const placeOf = (
  path: string,
  first: number
): { readonly path: string; readonly item: number | undefined } | undefined => {
  const inItem = /^(arguments\[1\]|result\[2\])\[(\d+)\]/.exec(path)
  if (inItem !== null) {
    const [whole, where, at] = inItem
    const item = first + Number(at)
    return { path: `${where!.startsWith("a") ? "items" : "results"}[${item}]${path.slice(whole.length)}`, item }
  }
  const inExtra = /^arguments\[[23]\]/.exec(path)
  return inExtra === null ? undefined : { path: `shared${path.slice(inExtra[0].length)}`, item: undefined }
}
