/** The error of a layer, in a separate module so that the validation can import it. */
import * as Schema from "effect/Schema"

export class InvalidOptions extends Schema.TaggedError<InvalidOptions>(
  "@effect-blocking/platform-node/NodeBlocking/InvalidOptions"
)("InvalidOptions", {
  pool: Schema.String,
  /** Empty, if the options as a whole are invalid. */
  option: Schema.String,
  /** The expected value, in words. */
  expected: Schema.String,
  /** The actual value. */
  actual: Schema.String,
  /** A problem other than an option's value: an unknown option, or options that are no object. */
  problem: Schema.optional(Schema.String)
}) {
  override get message(): string {
    if (this.problem !== undefined) return `Pool "${this.pool}" ${this.problem}`
    return `Option ${this.option} of pool "${this.pool}" must be ${this.expected}, not ${this.actual}`
  }
}
