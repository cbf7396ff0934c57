/**
 * The error of a task that has no result from a farm: `ClusterPoolError`, with one of the reasons of
 * this module.
 *
 * **Details**
 *
 * The task's own errors stay separate from it, as they do from a `JoinError` on a pool.
 *
 * **Example** (A second call after a runner was lost)
 *
 * ```ts
 * import { ClusterPool } from "@effect-blocking/cluster"
 * import { Effect, Schema } from "effect"
 * import { Task } from "effect-blocking"
 *
 * const square = Task.schema(import.meta.url, "square", { payload: Schema.Int, success: Schema.Int }, (n) => n * n)
 *
 * class Farm extends ClusterPool.Service<Farm>()("app/Farm", { tasks: [square] }) {}
 *
 * export const program = Farm.run(square, 3).pipe(
 *   Effect.catchReason("ClusterPoolError", "RunnerLost", () => Farm.run(square, 3))
 * )
 * ```
 *
 * @module
 * @since 0.1.0
 */
import { JoinError } from "effect-blocking/JoinError"
import { hasProperty } from "effect/Predicate"
import * as Schema from "effect/Schema"

const TypeId = "~@effect-blocking/cluster/ClusterPoolError"
const id = "@effect-blocking/cluster/ClusterPoolError"

/**
 * `run` reached no runner of the farm within `patience`. The task did not run.
 *
 * @category errors
 * @since 0.1.0
 */
export class NoRunner extends Schema.TaggedError<NoRunner>(`${id}/NoRunner`)("NoRunner", {
  waitedMillis: Schema.Finite,
  /** The number of registered runners, which were not reached or refused. */
  known: Schema.Int
}) {
  override get message(): string {
    const known = this.known === 0 ? "none is registered" : `${this.known} registered, none reachable`
    return `found no runner within ${this.waitedMillis} ms (${known}): start one with layerRunner on the same storage`
  }
}

/**
 * The runner had the task and was lost: its connection ended, or it shut down. The task may have run.
 * `run` never sends a task twice.
 *
 * @category errors
 * @since 0.1.0
 */
export class RunnerLost extends Schema.TaggedError<RunnerLost>(`${id}/RunnerLost`)("RunnerLost", {
  runner: Schema.String,
  cause: Schema.optional(Schema.Defect())
}) {
  override get message(): string {
    return `lost its runner (${this.runner}) while it may have run: run it again if it is idempotent, or use submit`
  }
}

/**
 * The farm has no task of that name.
 *
 * @category errors
 * @since 0.1.0
 */
export class UnknownTask extends Schema.TaggedError<UnknownTask>(`${id}/UnknownTask`)("UnknownTask", {
  known: Schema.Array(Schema.String),
  /** The side that does not know it: this program, or a runner. */
  where: Schema.String
}) {
  override get message(): string {
    return `is not one of the farm's tasks (${this.where} has: ${this.known.join(", ")}): name it in the farm's tasks`
  }
}

/**
 * The runner has another version of the task, or a value does not fit the schema of the other side.
 * The body did not run, unless it is the result that does not fit.
 *
 * @category errors
 * @since 0.1.0
 */
export class Incompatible extends Schema.TaggedError<Incompatible>(`${id}/Incompatible`)("Incompatible", {
  /** The part that does not fit. */
  side: Schema.Literals(["version", "payload", "success", "error"]),
  detail: Schema.String
}) {
  override get message(): string {
    return `does not fit the other side (${this.side}): ${this.detail}: deploy the same version on both`
  }
}

/**
 * The submitted task has used all its attempts: they failed, or their runners died. It is kept, and can
 * be listed (`parked`) and put back.
 *
 * @category errors
 * @since 0.1.0
 */
export class Parked extends Schema.TaggedError<Parked>(`${id}/Parked`)("Parked", {
  /** The number of times that its body was started. */
  executions: Schema.Int,
  /** The error of the last attempt; absent if its runner died, or no runner had its version. */
  last: Schema.optional(JoinError),
  detail: Schema.String
}) {
  override get message(): string {
    return `is parked after ${this.executions} executions: ${this.detail}`
  }
}

/**
 * The submitted task was cancelled through its receipt.
 *
 * @category errors
 * @since 0.1.0
 */
export class Cancelled extends Schema.TaggedError<Cancelled>(`${id}/Cancelled`)("Cancelled", {}) {
  override get message(): string {
    return "was cancelled through its receipt"
  }
}

/**
 * The storage has no receipt under the key: the transaction of its `submit` was rolled back or has not
 * ended, or `timeToLive` is over and the result is removed, or the database is another one.
 *
 * @category errors
 * @since 0.1.0
 */
export class ReceiptNotFound extends Schema.TaggedError<ReceiptNotFound>(`${id}/ReceiptNotFound`)("ReceiptNotFound", {
  key: Schema.String
}) {
  override get message(): string {
    return `has no receipt under the key "${this.key}" (not committed, removed after timeToLive, or another database): ` +
      "await it after its transaction, or submit it again"
  }
}

/**
 * The payload does not fit its schema.
 *
 * @category errors
 * @since 0.1.0
 */
export class NotEncodable extends Schema.TaggedError<NotEncodable>(`${id}/NotEncodable`)("NotEncodable", {
  detail: Schema.String
}) {
  override get message(): string {
    return `has a payload that does not fit its schema: ${this.detail}`
  }
}

/**
 * The payload is larger than `maxPayload`.
 *
 * @category errors
 * @since 0.1.0
 */
export class PayloadTooLarge extends Schema.TaggedError<PayloadTooLarge>(`${id}/PayloadTooLarge`)("PayloadTooLarge", {
  characters: Schema.Int,
  limit: Schema.Int
}) {
  override get message(): string {
    return `has a payload of ${this.characters} characters, more than ${this.limit}: ` +
      "put it into a file or an object store and submit its name, or raise maxPayload"
  }
}

/**
 * The storage failed. If `submit` fails with it, the task may have been stored: submit it again under
 * the same key.
 *
 * @category errors
 * @since 0.1.0
 */
export class StorageFailed extends Schema.TaggedError<StorageFailed>(`${id}/StorageFailed`)("StorageFailed", {
  cause: Schema.Defect()
}) {
  override get message(): string {
    return `failed in its storage: ${this.cause instanceof Error ? this.cause.message : String(this.cause)}`
  }
}

/**
 * The reasons of a `ClusterPoolError`.
 *
 * @category errors
 * @since 0.1.0
 */
export type ClusterPoolErrorReason =
  | NoRunner
  | RunnerLost
  | UnknownTask
  | Incompatible
  | Parked
  | Cancelled
  | ReceiptNotFound
  | NotEncodable
  | PayloadTooLarge
  | StorageFailed

/**
 * Schema of every `ClusterPoolErrorReason`.
 *
 * @category schemas
 * @since 0.1.0
 */
export const ClusterPoolErrorReason: Schema.Union<[
  typeof NoRunner,
  typeof RunnerLost,
  typeof UnknownTask,
  typeof Incompatible,
  typeof Parked,
  typeof Cancelled,
  typeof ReceiptNotFound,
  typeof NotEncodable,
  typeof PayloadTooLarge,
  typeof StorageFailed
]> = Schema.Union([
  NoRunner,
  RunnerLost,
  UnknownTask,
  Incompatible,
  Parked,
  Cancelled,
  ReceiptNotFound,
  NotEncodable,
  PayloadTooLarge,
  StorageFailed
])

/**
 * The error of a task that has no result from a farm, with the names of both.
 *
 * @category errors
 * @since 0.1.0
 */
export class ClusterPoolError extends Schema.TaggedError<ClusterPoolError>(id)("ClusterPoolError", {
  farm: Schema.String,
  task: Schema.String,
  reason: ClusterPoolErrorReason
}) {
  declare readonly [TypeId]: typeof TypeId

  static {
    // Not a field of each error, which would be printed with it.
    Object.defineProperty(this.prototype, TypeId, { value: TypeId })
    Object.defineProperty(this.prototype, "name", { value: "ClusterPoolError", configurable: true, writable: true })
  }

  override get message(): string {
    return `Task "${this.task}" on ${this.farm} ${this.reason.message}`
  }

  override get cause(): unknown {
    switch (this.reason._tag) {
      case "RunnerLost":
      case "StorageFailed":
        return this.reason.cause
      case "Parked":
        return this.reason.last
      default:
        return undefined
    }
  }
}

/**
 * Returns whether a value is a `ClusterPoolError`.
 *
 * @category guards
 * @since 0.1.0
 */
export const isClusterPoolError = (u: unknown): u is ClusterPoolError => hasProperty(u, TypeId)
