/** The error of a layer, apart from the layers so that the validation can make it. */
import * as Schema from "effect/Schema"

export class InvalidOptions extends Schema.TaggedError<InvalidOptions>(
  "@effect-blocking/platform-node/NodeBlocking/InvalidOptions"
)("InvalidOptions", {
  pool: Schema.String,
  option: Schema.String,
  /** What it should be. */
  expected: Schema.String,
  /** What it is. */
  actual: Schema.String
}) {
  override get message(): string {
    return `Option ${this.option} of pool "${this.pool}" must be ${this.expected}, not ${this.actual}`
  }
}
