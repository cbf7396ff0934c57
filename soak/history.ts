/**
 * The books of a soak: what was submitted, what ran, what callers were told.
 */
import { Cause, Effect, Exit, Fiber, Option } from "effect"
import { type Blocking, JoinError } from "effect-blocking"
import { existsSync, readFileSync } from "node:fs"
import type { Runs } from "./tasks.ts"

/** Submissions of one generation at most: cells of `runs`. */
export const capacity = 200_000

export interface Books {
  /** How often the body of a submission was entered, in any thread. */
  readonly runs: Int32Array
  /** The same for processes: a line with the index for each time. */
  readonly file: string
  submitted: number
  /** What callers were told, in that order. */
  readonly told: Array<
    { readonly index: number; readonly outcome: string; readonly mayRun: "once" | "never" | "either" }
  >
  readonly faults: Array<string>
}

/** `file` is where processes note what ran. */
export const makeBooks = (file = ""): Books => ({
  runs: new Int32Array(new SharedArrayBuffer(capacity * 4)),
  file,
  submitted: 0,
  told: [],
  faults: []
})

/** Reasons with which a body has never been entered. */
const neverRan = new Set(["QueueFull", "QueueTimedOut", "ShutDown", "LoadFailed", "SpawnFailed"])

/** Enters what a caller was told of its submission into the books. */
const enter = <A, E>(books: Books, index: number, exit: Exit.Exit<A, E>, isRight: (value: A) => boolean): void => {
  if (Exit.isSuccess(exit)) {
    books.told.push({ index, outcome: "Succeeded", mayRun: "once" })
    if (!isRight(exit.value)) books.faults.push(`submission ${index} got the result of another`)
    return
  }
  const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  if (JoinError.isJoinError(error)) {
    const { reason } = error
    const outcome = reason._tag === "Cancelled" ? `Cancelled ${reason.stage}` : reason._tag
    const never = outcome === "Cancelled Queued" || neverRan.has(outcome)
    books.told.push({ index, outcome, mayRun: never ? "never" : "either" })
  } else if (error !== undefined) {
    books.told.push({ index, outcome: "Failed", mayRun: "once" })
  } else if (Cause.hasInterruptsOnly(exit.cause)) {
    books.told.push({ index, outcome: "Interrupted", mayRun: "either" })
  } else {
    books.faults.push(`submission ${index} died: ${Cause.pretty(exit.cause)}`)
  }
}

/** Compares what callers were told with what ran. */
export const audit = (books: Books): void => {
  if (existsSync(books.file)) {
    for (const line of readFileSync(books.file, "utf8").trim().split("\n")) books.runs[Number(line)]!++
  }
  if (books.told.length !== books.submitted) {
    books.faults.push(`${books.submitted} submitted, ${books.told.length} told`)
  }
  for (const { index, mayRun, outcome } of books.told) {
    const ran = books.runs[index]!
    if (ran > 1 || (ran === 1 && mayRun === "never") || (ran === 0 && mayRun === "once")) {
      books.faults.push(`submission ${index} ran ${ran} times and ended with ${outcome}`)
    }
  }
}

/** Looks for what closed pools have left behind. `closeMillis` is how long that took, `boundMillis` what each of them may take. */
export const auditPools = Effect.fnUntraced(function*(
  books: Books,
  pools: ReadonlyArray<Blocking.Pool>,
  closeMillis: number,
  boundMillis: number
) {
  // Finalizers of a scope run one after the other: as many bounds. The rest is a busy machine.
  if (closeMillis > pools.length * boundMillis + 2000) books.faults.push(`the shutdown took ${closeMillis} ms`)
  for (const pool of pools) {
    let stats = yield* pool.stats
    // What was stuck has been released; its thread ends when it gets to it.
    for (let i = 0; i < 500 && stats.stuckThreads > 0; i++) {
      yield* Effect.sleep(10)
      stats = yield* pool.stats
    }
    const { key, outcomes, queueDepth, running, stuckThreads, submitted, suspended, threads } = stats
    const ended = Object.values(outcomes).reduce((a, b) => a + b, 0)
    const left = { threads, stuckThreads, queueDepth, suspended, running: running.length, unsettled: submitted - ended }
    if (Object.values(left).some((value) => value !== 0)) books.faults.push(`left in ${key}: ${JSON.stringify(left)}`)
  }
})

/** Takes the index of the next submission, and enters its exit into the books, told or interrupted. */
export const recorded = <A, E, R>(
  books: Books,
  call: (runs: Runs, index: number) => Effect.Effect<A, E, R>,
  isRight: (value: A) => boolean = () => true,
  runs: Runs = books.runs
): Effect.Effect<void, never, R> =>
  Effect.suspend(() => {
    const index = books.submitted++
    return call(runs, index).pipe(
      Effect.onExit((exit) => Effect.sync(() => enter(books, index, exit, isRight))),
      Effect.exit,
      Effect.asVoid
    )
  })

/** Interrupts a call after so many milliseconds. */
export const cut = <A, E>(effect: Effect.Effect<A, E>, millis: number): Effect.Effect<A, E> =>
  Effect.flatMap(
    Effect.forkChild(effect, { startImmediately: true }),
    (fiber) =>
      Effect.andThen(Effect.sleep(millis), Fiber.interrupt(fiber)).pipe(
        Effect.andThen(Fiber.await(fiber)),
        Effect.flatten
      )
  )

/** An action of a caller, and how often it is chosen. */
export type Mix<Action> = ReadonlyArray<readonly [weight: number, action: Action]>

export const choose = <Action>(actions: Mix<Action>, random: (below: number) => number): Action => {
  let at = random(actions.reduce((sum, [weight]) => sum + weight, 0))
  return actions.find(([weight]) => (at -= weight) < 0)![1]
}
