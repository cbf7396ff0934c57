/** Keeps the worker alive on a thread of its own: restarts it after a crash, and asks it to stop at the end. */
import { Console, Effect, Schedule } from "effect"
import { Blocking, type JoinError } from "effect-blocking"
import { keepLedger } from "./tasks.ts"

/** A pool with one thread, for this worker alone. */
export class Ledger extends Blocking.Pool<Ledger>()("@effect-blocking/example-long-lived/worker/Ledger") {}

/** Whether a restart may help. `Cancelled` and `ShutDown` are intended, and `LoadFailed` would happen again. */
const isCrash = ({ reason }: JoinError.JoinError): boolean =>
  reason._tag === "Panicked" || reason._tag === "WorkerExited" || reason._tag === "OutOfMemory"

/** Runs the worker until this is interrupted or the worker is lost for good. Prints how each run of the worker ended. */
export const live = (folder: string, progress: Int32Array) =>
  Effect.acquireUseRelease(
    Ledger.spawnDetached(keepLedger, folder, progress),
    (handle) => handle.join,
    (handle) =>
      Effect.andThen(
        handle.abort,
        Effect.matchEffect(handle.join, {
          onFailure: ({ reason }) => Console.log(`The worker ${reason.message}`),
          onSuccess: (files) => Console.log(`The worker returned. It booked ${files} files since its last start.`)
        })
      )
  ).pipe(
    Effect.retry({ while: isCrash, schedule: Schedule.exponential("100 millis"), times: 5 })
  )
