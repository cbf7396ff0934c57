/** The error of a layer, apart from the layers so that the validation can make it. */
import * as Schema from "effect/Schema"

export class InvalidOptions extends Schema.TaggedError<InvalidOptions>(
  "@effect-blocking/platform-node/NodeBlocking/InvalidOptions"
)("InvalidOptions", {
  pool: Schema.String,
  /** Empty, if it is the options as a whole. */
  option: Schema.String,
  /** What it should be. */
  expected: Schema.String,
  /** What it is. */
  actual: Schema.String,
  /** What is wrong, if that is not the value of an option: there is no such option, or the options are no object. */
  problem: Schema.optional(Schema.String)
}) {
  override get message(): string {
    if (this.problem !== undefined) return `Pool "${this.pool}" ${this.problem}`
    return `Option ${this.option} of pool "${this.pool}" must be ${this.expected}, not ${this.actual}`
  }
}
