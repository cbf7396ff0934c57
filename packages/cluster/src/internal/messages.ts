/** The messages of a farm: calls between programs, and the elements of the queue. Values are JSON, encoded and decoded by the schemas of their tasks. */
import * as Rpc from "effect/rpc/Rpc"
import * as RpcGroup from "effect/rpc/RpcGroup"
import * as Schema from "effect/Schema"

export const Reply = Schema.Struct({
  kind: Schema.Literals(["success", "failure", "joinError", "refused", "busy", "leaving"]),
  body: Schema.String,
  /** The busy threads of the runner, for the caller's next choice. */
  busy: Schema.Int
})
export type Reply = typeof Reply.Type

export class Run extends Rpc.make("Run", {
  payload: {
    farm: Schema.String,
    tag: Schema.String,
    version: Schema.Int,
    payload: Schema.String,
    options: Schema.optional(Schema.String),
    /** Whether it may wait for a thread; otherwise a runner without a free thread refuses it. */
    wait: Schema.Boolean
  },
  success: Reply
}) {}

export const group = RpcGroup.make(Run)

/** An element of the queue. */
export const Envelope = Schema.Struct({
  tag: Schema.String,
  version: Schema.Int,
  payload: Schema.String,
  options: Schema.optional(Schema.String),
  trace: Schema.optional(Schema.Struct({
    traceId: Schema.String,
    spanId: Schema.String,
    sampled: Schema.Boolean
  })),
  /** The number of times that a runner could not run it. */
  passes: Schema.Int
})
export type Envelope = typeof Envelope.Type

export const queueName = (farm: string): string => farm
