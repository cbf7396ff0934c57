/** The error of a layer, in a module of its own so that the check of its options can create it. */
import * as Schema from "effect/Schema"

export class InvalidOptions extends Schema.TaggedError<InvalidOptions>(
  "@effect-blocking/cluster/ClusterPool/InvalidOptions"
)("InvalidOptions", {
  /** The layer, such as `layerRunner of farm "app/Farm"`. */
  layer: Schema.String,
  /** The name of the option, such as `listen.port`; empty for the options as a whole. */
  option: Schema.String,
  /** The expected value. */
  expected: Schema.String,
  /** The actual value. */
  actual: Schema.String,
  /** The problem, if it is not the value of an option: the option does not exist. */
  problem: Schema.optional(Schema.String)
}) {
  override get message(): string {
    if (this.problem !== undefined) return `${this.layer} ${this.problem}`
    return this.option === ""
      ? `The options of ${this.layer} must be ${this.expected}, not ${this.actual}`
      : `Option ${this.option} of ${this.layer} must be ${this.expected}, not ${this.actual}`
  }
}
