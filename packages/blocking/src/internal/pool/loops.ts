/**
 * Drives a loop: a fixed number of concurrent runs, each over a part of the items, until all parts are done
 * or one ends the loop. As in a plain loop, the lowest index that ends it counts: items before it are still
 * processed, items after it are stopped.
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

/** The items of one run. */
export interface Part {
  readonly args: Array<unknown>
  readonly first: number
  /** The last item. A failure without an index of its own lies between `first` and `last`. */
  readonly last: number
  /** Whether the run is past that item and will not process it. */
  readonly isBeyond: (index: number) => boolean
}

/** The source of parts, and the receiver of their results. */
export interface Work<P extends Part> {
  /** Takes the next part; `undefined` if no part is available now. */
  readonly take: () => P | undefined
  /** Called when the part was refused and must be taken again. */
  readonly putBack: (part: P) => void
  /** Called when the part failed or was stopped. */
  readonly onLost: (part: P) => void
  /** Called with the result of a part. Returns the index that ends the loop, if any. */
  readonly onDone: (part: P, value: LoopValue) => number | undefined
  /** Ends the loop at that index: later items are not needed. */
  readonly endAt: (index: number) => void
}

/** The work done, for the warning about slow calls. */
export interface Report {
  /** The total time of the items. */
  itemMillis: number
  runs: number
  /** When the first item began, on the fiber's clock; `undefined` before that. */
  beganAt: number | undefined
  /** `false` if the time of a run is not known, or a thread may have loaded a module for it. */
  isComparable: boolean
}

export const makeReport = (): Report => ({ itemMillis: 0, runs: 0, beganAt: undefined, isComparable: true })

export const nowOf = (clock: Clock.Clock): number => Number(clock.currentTimeNanosUnsafe()) / 1e6

/**
 * Returns the index of the item found (the lowest, or any one with `any`). Fails with the failure of the
 * lowest index.
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
  /** The exit that ends the loop, and its index. */
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

  /** Starts as many runs as the lanes allow. A refused run ends synchronously inside this call. */
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
      // Interrupted from outside: `stop` waits for all runs.
      if (this.isOver) return
      if (this.stopped.delete(part)) {
        this.report.isComparable = false
        this.work.onLost(part)
      } else this.onExit(part, exit)
      this.fill()
    })
  }

  private onExit(part: P, exit: Exit.Exit<LoopValue, E | JoinError>): void {
    const { report, work } = this
    if (Exit.isSuccess(exit)) {
      const [millis, , , , , isFirst] = exit.value
      report.beganAt ??= nowOf(this.clock) - millis
      report.itemMillis += millis
      if (isFirst === true) report.isComparable = false
      const index = work.onDone(part, exit.value)
      if (index !== undefined) this.endAt(this.any ? -1 : index, Exit.succeed(index))
      return
    }
    const error = Option.getOrUndefined(Exit.findErrorOption(exit))
    if (this.running.size > 0 && isJoinError(error) && error.reason._tag === "QueueFull") {
      // Continue with the runs that were accepted.
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

/** The index of the failed item. */
export const indexOf = <E>(cause: Cause.Cause<E>): number | undefined => {
  const item = Context.getOrUndefined(Cause.annotations(cause), FailedItem)
  if (item !== undefined) return item.index
  const error = Option.getOrUndefined(Cause.findErrorOption(cause))
  return isJoinError(error) && error.lastItem === undefined ? error.item : undefined
}

/** Adds the index of the failed item to the cause, or its range if only the part is known. */
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

/** The reasons that end a run in the middle of an item. */
const lostWithItems = new Set<string>(["WorkerExited", "OutOfMemory", "TimedOut", "Panicked"])

/**
 * Translates a path in the arguments or the value of a chunk to a path in the caller's items, results or
 * shared arguments.
 */
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
