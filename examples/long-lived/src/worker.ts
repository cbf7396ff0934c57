/** Keeps the worker alive, on a thread of its own: starts it again when it crashes, and asks it to stop in the end. */
import { Console, Effect, Schedule } from "effect"
import { Blocking, type JoinError } from "effect-blocking"
import { keepLedger } from "./tasks.ts"

/** A pool with one thread, for this worker alone. */
export class Ledger extends Blocking.Pool<Ledger>()("@effect-blocking/example-long-lived/worker/Ledger") {}

/** What another start may help against: `Cancelled` and `ShutDown` are wanted, and `LoadFailed` stays. */
const isCrash = ({ reason }: JoinError.JoinError): boolean =>
  reason._tag === "Panicked" || reason._tag === "WorkerExited" || reason._tag === "OutOfMemory"

/** Lives until it is interrupted, and returns when the worker has ended; its last words are told either way. */
export const live = (folder: string, progress: Int32Array) =>
  Effect.acquireUseRelease(
    Ledger.spawnDetached(keepLedger, folder, progress),
    (handle) => handle.join,
    (handle) =>
      Effect.andThen(
        handle.abort,
        Effect.matchEffect(handle.join, {
          onFailure: ({ reason }) => Console.log(`The worker ${reason.message}`),
          onSuccess: (files) =>
            Console.log(`The worker has returned. Since its last start it has booked ${files} files.`)
        })
      )
  ).pipe(
    Effect.retry({ while: isCrash, schedule: Schedule.exponential("100 millis"), times: 5 })
  )
