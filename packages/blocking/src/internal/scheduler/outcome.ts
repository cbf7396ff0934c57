/** Turns a thread's report into the exit that the caller gets. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Exit from "effect/Exit"
import {
  Cancelled,
  JoinError,
  type JoinErrorReason,
  LoadFailed,
  NotCloneable,
  OutOfMemory,
  Panicked,
  type Stopped,
  TimedOut,
  WorkerExited
} from "../../JoinError.ts"
import type { ThreadExit } from "../../ThreadHost.ts"
import { FailedItem } from "../task/loops.ts"
import { describe, NotCloneableError } from "../wire/cloneable.ts"
import * as controlBlock from "../wire/controlBlock.ts"
import { isItemEnd, type ItemEnd } from "../wire/loops.ts"
import * as protocol from "../wire/protocol.ts"
import { decode } from "../wire/restored.ts"
import type { Run, RunExit } from "./run.ts"

/** A run's exit, and the kind under which it is counted. */
export interface Outcome {
  readonly kind: OutcomeKind
  readonly exit: RunExit
}

export type OutcomeKind = "Succeeded" | "Failed" | JoinErrorReason["_tag"]

const V8Error = Error as ErrorConstructor & { stackTraceLimit: number }

/** Captures no stack: it would show this library and no line of the program. */
export const joinError = (
  task: { readonly name: string; readonly module: string },
  id: number,
  makeReason: () => JoinErrorReason,
  item?: number
): JoinError => {
  const limit = V8Error.stackTraceLimit
  V8Error.stackTraceLimit = 0
  try {
    const reason = makeReason()
    return new JoinError({ task: task.name, module: task.module, id, reason, ...(item === undefined ? {} : { item }) })
  } finally {
    V8Error.stackTraceLimit = limit
  }
}

export const failure = (run: Run, makeReason: () => JoinErrorReason, item = itemOf(run)): Outcome => {
  const error = joinError(run.task, run.id, makeReason, item)
  return { kind: error.reason._tag, exit: Exit.fail(error) }
}

/** The current item of a loop, if its thread shares memory. */
const itemOf = (run: Run): number | undefined => {
  if (run.task.loop === undefined || run.thread === undefined) return undefined
  const { control } = run.thread
  return controlBlock.isEntered(control, run.sequence) ? controlBlock.item(control) : undefined
}

/** Adds to the outcome of a loop the item that ended it, and the results before. */
const withItem = ({ exit, kind }: Outcome, [index, , before]: ItemEnd): Outcome => ({
  kind,
  exit: Exit.isSuccess(exit)
    ? exit
    : Exit.failCause(Cause.annotate(exit.cause, Context.make(FailedItem, { index, before })))
})

/** The exit of a run whose caller was interrupted is not read: one serves for all. */
const interrupted: Outcome = { kind: "Cancelled", exit: Exit.interrupt() }

/** The consumer of a stream has closed it. */
const closed: Outcome = { kind: "Succeeded", exit: Exit.void }

/** The run was taken back before a thread had claimed it. */
export const cancelledInQueue = (run: Run): Outcome =>
  run.stop === "Interrupt" || run.stop === "Close"
    ? interrupted
    : failure(run, () => new Cancelled({ stage: "Queued", by: run.stop === "Shutdown" ? "Shutdown" : "Abort" }))

/** The run was stopped after it had been claimed. */
export const stopped = (run: Run, how: Stopped): Outcome => {
  switch (run.stop) {
    case "TimeLimit":
      return failure(run, () => new TimedOut({ limitMillis: run.task.timeLimitMillis!, stopped: how }))
    case "IdleLimit":
      return failure(run, () => new TimedOut({ limitMillis: run.task.idleLimitMillis!, stopped: how, idle: true }))
    case "Interrupt":
      return interrupted
    case "Close":
      return how === "Checkpoint" ? closed : interrupted
    default:
      return failure(
        run,
        () => new Cancelled({ stage: "Running", by: run.stop === "Shutdown" ? "Shutdown" : "Abort", stopped: how })
      )
  }
}

/** The outcome of a claimed run, as its thread reports it. */
export const reported = (run: Run, status: number, value: unknown): Outcome => {
  try {
    return read(run, status, value)
  } catch (error) {
    // A transformation of the task's own schema threw: it fails this task alone.
    return failure(run, () => new NotCloneable({ side: "success", path: "result", detail: describe(error) }))
  }
}

const read = (run: Run, status: number, value: unknown): Outcome => {
  const { codec, errors, loop } = run.task
  if (loop !== undefined && (status === protocol.Failed || status === protocol.Panicked) && isItemEnd(value)) {
    const [index, end, before] = value
    const outcome = status === protocol.Failed
      ? read(run, status, end)
      : failure(run, () => new Panicked({ thrown: decode(end, errors) }), index)
    return withItem(outcome, [index, end, codec === undefined ? before : before?.map(codec.decodeItem!)])
  }
  switch (status) {
    case protocol.Succeeded: {
      // The time limit counts even if the body ended in its grace period.
      if (run.stop === "TimeLimit") return stopped(run, "Checkpoint")
      return codec === undefined
        ? { kind: "Succeeded", exit: Exit.succeed(value) }
        : decoded(run, "Succeeded", codec.decodeSuccess, value, Exit.succeed)
    }
    case protocol.Failed: {
      if (run.stop === "TimeLimit") return stopped(run, "Checkpoint")
      const error = decode(value, errors, Data.Error.prototype)
      return codec === undefined
        ? { kind: "Failed", exit: Exit.fail(error) }
        : decoded(run, "Failed", codec.decodeError, error, Exit.fail)
    }
    case protocol.Panicked:
      return failure(run, () => new Panicked({ thrown: decode(value, errors) }))
    case protocol.Stopped:
      return stopped(run, "Checkpoint")
    case protocol.NotCloneable:
      return notCloneable(run, value as protocol.NotCloneableValue)
    case protocol.Injected:
      return failure(run, () => value as JoinErrorReason)
    default: {
      const { cause, names } = value as protocol.LoadFailure
      return failure(run, () => new LoadFailed(loadFailure(run.task.module, cause, names)))
    }
  }
}

const notCloneable = (run: Run, { detail, item, path, side }: protocol.NotCloneableValue): Outcome =>
  failure(run, () => new NotCloneable({ side, path, detail }), item)

/** The fields of a `LoadFailed`. */
export const loadFailure = (url: string, cause: unknown, names: ReadonlyArray<string>) => ({
  url,
  names,
  ...(cause === undefined ? {} : { cause: decode(cause, []) })
})

const decoded = (
  run: Run,
  kind: "Succeeded" | "Failed",
  convert: (value: unknown) => unknown,
  value: unknown,
  make: (value: unknown) => RunExit
): Outcome => {
  try {
    return { kind, exit: make(convert(value)) }
  } catch (error) {
    if (!(error instanceof NotCloneableError)) throw error
    return failure(run, () => new NotCloneable({ side: error.side, path: error.path, detail: error.message }))
  }
}

/** The run was lost with its thread. */
export const lostWith = (
  run: Run,
  limits: Readonly<Record<string, number>>,
  { cause, exitCode, outOfMemory, signal }: ThreadExit
): Outcome => {
  if (outOfMemory) return failure(run, () => new OutOfMemory({ limits }))
  return failure(
    run,
    () =>
      new WorkerExited({
        ...(exitCode === undefined ? {} : { exitCode }),
        ...(signal === undefined ? {} : { signal }),
        ...(cause === undefined ? {} : { cause })
      })
  )
}

/** The thread skipped a run that was not taken back: this should not happen. */
export const skipped = (run: Run): Outcome =>
  failure(run, () => new WorkerExited({ cause: new Error("The thread skipped the task") }))

/** The run's result lies in shared memory and cannot be read: this should not happen. */
export const unreadable = (run: Run, error: unknown): Outcome =>
  failure(run, () => new NotCloneable({ side: "success", path: "result", detail: describe(error) }))

/** The thread ended while it loaded the run's module. */
export const diedLoading = (run: Run, exit: ThreadExit): Outcome =>
  failedToLoad(
    run,
    new Error(
      `The thread ended with ${describeExit(exit)} while it loaded the module. ` +
        "Does the module start the program? Guard that with Task.inPoolThread(), or start it with NodeBlocking.runMain",
      { cause: exit.cause }
    )
  )

/** The run's module is not loaded after `millis` milliseconds. */
export const loadsForever = (run: Run, millis: number): Outcome =>
  failedToLoad(
    run,
    new Error(
      `It has been loading for ${millis} ms: a top-level await that does not settle, or a loop that does not end`
    )
  )

const failedToLoad = (run: Run, cause: Error): Outcome =>
  failure(run, () => new LoadFailed(loadFailure(run.task.module, cause, [])))

/** As in "the thread ended with …". */
export const describeExit = ({ exitCode, signal }: ThreadExit): string =>
  signal === undefined ? `exit code ${exitCode}` : `signal ${signal}`

/** The exit of a thread that claimed nothing, like others that were sent the same task. */
export const neverTaken = (threads: number): ThreadExit => ({
  ...terminated,
  cause: new Error(
    `${threads} threads that were sent the task did not begin it, and were terminated: ` +
      "its arguments take long to read, or other tasks leave synchronous work behind"
  )
})

/** The exit of a thread that is being terminated. */
export const terminated: ThreadExit = { exitCode: undefined, signal: undefined, outOfMemory: false, cause: undefined }
