/**
 * The history of a soak: the submissions, the runs of their bodies, and the outcomes that callers saw.
 */
import { Cause, Effect, Exit, Fiber, Option } from "effect"
import { type Blocking, JoinError } from "effect-blocking"
import { existsSync, readFileSync } from "node:fs"
import type { Runs } from "./tasks.ts"

/** The most submissions of one generation: the length of `runs`. */
export const capacity = 200_000

export interface History {
  /** How often the body of each submission started, in any thread. */
  readonly runs: Int32Array
  /** The same for processes: a line with the index for each start. */
  readonly file: string
  submitted: number
  /** The outcomes that callers saw, in this order. */
  readonly outcomes: Array<
    { readonly index: number; readonly outcome: string; readonly mayRun: "once" | "never" | "either" }
  >
  readonly faults: Array<string>
}

/** `file` is the file in which processes note the starts of bodies. */
export const makeHistory = (file = ""): History => ({
  runs: new Int32Array(new SharedArrayBuffer(capacity * 4)),
  file,
  submitted: 0,
  outcomes: [],
  faults: []
})

/** Reasons after which a body has never started. */
const neverRan = new Set(["QueueFull", "QueueTimedOut", "ShutDown", "LoadFailed", "SpawnFailed"])

/** Records the outcome of a submission. */
const record = <A, E>(history: History, index: number, exit: Exit.Exit<A, E>, isRight: (value: A) => boolean): void => {
  if (Exit.isSuccess(exit)) {
    history.outcomes.push({ index, outcome: "Succeeded", mayRun: "once" })
    if (!isRight(exit.value)) history.faults.push(`submission ${index} got a wrong result`)
    return
  }
  const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  if (JoinError.isJoinError(error)) {
    const { reason } = error
    const outcome = reason._tag === "Cancelled" ? `Cancelled ${reason.stage}` : reason._tag
    const never = outcome === "Cancelled Queued" || neverRan.has(outcome)
    history.outcomes.push({ index, outcome, mayRun: never ? "never" : "either" })
  } else if (error !== undefined) {
    history.outcomes.push({ index, outcome: "Failed", mayRun: "once" })
  } else if (Cause.hasInterruptsOnly(exit.cause)) {
    history.outcomes.push({ index, outcome: "Interrupted", mayRun: "either" })
  } else {
    history.faults.push(`submission ${index} died: ${Cause.pretty(exit.cause)}`)
  }
}

/** Compares the outcomes with the runs. */
export const checkHistory = (history: History): void => {
  if (existsSync(history.file)) {
    for (const line of readFileSync(history.file, "utf8").trim().split("\n")) history.runs[Number(line)]!++
  }
  if (history.outcomes.length !== history.submitted) {
    history.faults.push(`${history.submitted} submitted, ${history.outcomes.length} outcomes`)
  }
  for (const { index, mayRun, outcome } of history.outcomes) {
    const ran = history.runs[index]!
    if (ran > 1 || (ran === 1 && mayRun === "never") || (ran === 0 && mayRun === "once")) {
      history.faults.push(`submission ${index} ran ${ran} times and ended with ${outcome}`)
    }
  }
}

/** Checks that closed pools left nothing behind. The close took `closeMillis`; each pool may take `boundMillis`. */
export const checkPools = Effect.fnUntraced(function*(
  history: History,
  pools: ReadonlyArray<Blocking.Pool>,
  closeMillis: number,
  boundMillis: number
) {
  // Finalizers of a scope run one after the other, so the bounds add up. The rest allows for a busy machine.
  if (closeMillis > pools.length * boundMillis + 2000) history.faults.push(`the shutdown took ${closeMillis} ms`)
  for (const pool of pools) {
    let stats = yield* pool.stats
    // A stuck task has been released by now, and its thread ends when it runs again.
    for (let i = 0; i < 500 && stats.stuckThreads > 0; i++) {
      yield* Effect.sleep(10)
      stats = yield* pool.stats
    }
    const { key, outcomes, queueDepth, running, stuckThreads, submitted, suspended, threads } = stats
    const ended = Object.values(outcomes).reduce((a, b) => a + b, 0)
    const left = { threads, stuckThreads, queueDepth, suspended, running: running.length, unsettled: submitted - ended }
    if (Object.values(left).some((value) => value !== 0)) history.faults.push(`left in ${key}: ${JSON.stringify(left)}`)
  }
})

/** Runs a call as the next submission, and records its exit, also after an interruption. */
export const recorded = <A, E, R>(
  history: History,
  call: (runs: Runs, index: number) => Effect.Effect<A, E, R>,
  isRight: (value: A) => boolean = () => true,
  runs: Runs = history.runs
): Effect.Effect<void, never, R> =>
  Effect.suspend(() => {
    const index = history.submitted++
    return call(runs, index).pipe(
      Effect.onExit((exit) => Effect.sync(() => record(history, index, exit, isRight))),
      Effect.exit,
      Effect.asVoid
    )
  })

/** Interrupts a call after `millis`. */
export const cut = <A, E>(effect: Effect.Effect<A, E>, millis: number): Effect.Effect<A, E> =>
  Effect.flatMap(
    Effect.forkChild(effect, { startImmediately: true }),
    (fiber) =>
      Effect.andThen(Effect.sleep(millis), Fiber.interrupt(fiber)).pipe(
        Effect.andThen(Fiber.await(fiber)),
        Effect.flatten
      )
  )

/** The actions of callers, each with its weight. */
export type Mix<Action> = ReadonlyArray<readonly [weight: number, action: Action]>

export const choose = <Action>(actions: Mix<Action>, random: (below: number) => number): Action => {
  let at = random(actions.reduce((sum, [weight]) => sum + weight, 0))
  return actions.find(([weight]) => (at -= weight) < 0)![1]
}
