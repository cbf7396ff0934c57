/** The error of a layer, in a module of its own so that the validation can create it. */
import * as Schema from "effect/Schema"

export class InvalidOptions extends Schema.TaggedError<InvalidOptions>(
  "@effect-blocking/platform-node/NodeBlocking/InvalidOptions"
)("InvalidOptions", {
  pool: Schema.String,
  /** The name of the option; empty for the options as a whole. */
  option: Schema.String,
  /** The expected value. */
  expected: Schema.String,
  /** The actual value. */
  actual: Schema.String,
  /** The problem, if it is not the value of an option: the option does not exist, or the options are not an object. */
  problem: Schema.optional(Schema.String)
}) {
  override get message(): string {
    if (this.problem !== undefined) return `Pool "${this.pool}" ${this.problem}`
    return `Option ${this.option} of pool "${this.pool}" must be ${this.expected}, not ${this.actual}`
  }
}
