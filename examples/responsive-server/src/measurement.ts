/** The result of one run. The client prints it for the program, as one line of JSON. */
import { Schema } from "effect"
import { EventLoopDelay } from "./eventLoop.ts"

export const Measurement = Schema.fromJsonString(Schema.Struct({
  /** How long each `/ping` took, in milliseconds, shortest first. */
  pings: Schema.Array(Schema.Finite),
  /** How many heavy requests were answered, by name. */
  heavy: Schema.Record(Schema.String, Schema.Int),
  /** In the server's process, while the client sent. */
  eventLoop: EventLoopDelay,
  /** Wrong answers. */
  wrong: Schema.Array(Schema.String)
}))

export type Measurement = typeof Measurement.Type
