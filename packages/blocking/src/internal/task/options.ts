/**
 * Validation of the options of pools and tasks. Each option is a schema with a description of its valid
 * values. Only the program loads this module: pool threads do not load `effect/Schema`.
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaTransformation from "effect/SchemaTransformation"
import { describe } from "../wire/cloneable.ts"

/** The first problem found in options. */
export interface OptionsProblem {
  /** The option, such as `recycle.tasks`; empty if the options as a whole are invalid. */
  readonly option: string
  /** The valid values, such as `an integer of at least 1`. */
  readonly expected: string
  /** The value given. */
  readonly actual: unknown
  /**
   * The message if the problem is not a value, but an unknown option or options that are not an object. Such
   * as `has no option "maxthreads"; did you mean "maxThreads"?`.
   */
  readonly message: string | undefined
}

// -----------------------------------------------------------------------------
// Schemas
// -----------------------------------------------------------------------------

/** The values of a schema, with one description for all of its checks. */
export const described = <S extends Schema.ConstraintCodec<unknown, unknown>>(
  schema: S,
  expected: string
): Schema.declare<S["Type"]> => Schema.declare(Schema.is(schema), { expected })

export const integer = (least: number) =>
  described(Schema.Int.check(Schema.isGreaterThanOrEqualTo(least)), `an integer of at least ${least}`)

export const oneOf = <const Words extends readonly [string, string, ...Array<string>]>(...words: Words) => {
  const quoted = words.map((word) => JSON.stringify(word))
  return described(Schema.Literals(words), `${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)!}`)
}

/** An option with options of its own, named like `recycle.tasks`. */
export const group = <const Fields extends Schema.Struct.Fields>(example: string, fields: Fields) =>
  Schema.declare(isObject, { expected: `an object, such as ${example}` }).pipe(
    Schema.decodeTo(Schema.Struct(fields), SchemaTransformation.passthrough({ strict: false }))
  )

/** A list. The description covers its elements too. */
export const list = <A>(isElement: (value: unknown) => value is A, expected: string) =>
  Schema.declare((value): value is ReadonlyArray<unknown> => Array.isArray(value), { expected }).pipe(
    Schema.decodeTo(
      Schema.Array(Schema.declare(isElement, { expected })),
      SchemaTransformation.passthrough({ strict: false })
    )
  )

/** A duration, decoded to milliseconds. */
export const millis = (expected = "a duration, such as \"2 seconds\"", isRight = (_: number): boolean => true) =>
  Schema.declare((input): input is Duration.Input => {
    const found = toMillis(input)
    return found !== undefined && isRight(found)
  }, { expected }).pipe(
    Schema.decodeTo(
      Schema.Number,
      SchemaTransformation.transform({
        decode: (input: Duration.Input) => toMillis(input)!,
        encode: (millis): Duration.Input => millis
      })
    )
  )

const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Converts a duration to milliseconds; `undefined` for an invalid or negative one. */
const toMillis = (input: unknown): number | undefined => {
  // Effect treats a NaN as zero, wherever it occurs.
  const numbers: ReadonlyArray<unknown> = isObject(input) || Array.isArray(input) ? Object.values(input) : [input]
  if (numbers.some(Number.isNaN)) return undefined
  const duration = Option.getOrUndefined(Duration.fromInput(input as Duration.Input))
  return duration === undefined || Duration.isNegative(duration) ? undefined : Duration.toMillis(duration)
}

// -----------------------------------------------------------------------------
// Validation
// -----------------------------------------------------------------------------

/**
 * Returns a function that validates and decodes options. An option with the value `undefined` counts as not
 * given. Inherited properties are ignored.
 */
export const validator = <const Fields extends Schema.Struct.Fields>(fields: Fields) => {
  type Decoded = Schema.Struct<Fields>["Type"]
  const names = Object.keys(fields)
  const decode = Schema.decodeUnknownResult(Schema.Struct(fields) as unknown as Schema.ConstraintDecoder<Decoded>)
  return (options: unknown): Result.Result<Decoded, OptionsProblem> => {
    if (!isObject(options)) {
      const given = typeof options === "string" ? JSON.stringify(options) : describe(options)
      const message = `takes its options as an object, { ${names[0]}: … }, not ${given}`
      return Result.fail({ option: "", expected: listOf(names, ""), actual: options, message })
    }
    const decoded = decode(options, { errors: "all", onExcessProperty: "error" })
    if (Result.isSuccess(decoded)) return Result.succeed(decoded.success)
    const [first] = problemsOf(decoded.failure.issue, options)
    // The only remaining issues are unknown names with the value `undefined`.
    return first === undefined ? Result.succeed(Result.getOrThrow(decode(options))) : Result.fail(first)
  }
}

/** Unknown names come first: a misspelt option may explain the other problems. */
const problemsOf = (issue: SchemaIssue.Issue, options: object): ReadonlyArray<OptionsProblem> => {
  const misnamed: Array<OptionsProblem> = []
  const mistaken: Array<OptionsProblem> = []
  const leafHook: SchemaIssue.LeafHook = (leaf) => {
    if (leaf._tag !== "UnexpectedKey") return expectedOf(leaf) ?? SchemaIssue.defaultLeafHook(leaf)
    const { ast } = leaf
    return unexpected +
      ("propertySignatures" in ast ? ast.propertySignatures.map(({ name }) => String(name)).join() : "")
  }
  for (const { message, path = [] } of SchemaIssue.makeFormatterStandardSchemaV1({ leafHook })(issue).issues) {
    const keys = path.map((part) => typeof part === "object" ? part.key : part)
    const actual = keys.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown>)[key], options)
    // An element of a list is not an option.
    const option = keys.filter((key) => typeof key === "string").join(".")
    if (!message.startsWith(unexpected)) {
      mistaken.push({ option, expected: message, actual, message: undefined })
    } else if (actual !== undefined && keys.every((key) => typeof key === "string")) {
      misnamed.push(noSuchOption(option, message.slice(unexpected.length).split(","), actual))
    }
  }
  return [...misnamed, ...mistaken]
}

/** Marks the formatter's message about an unknown name. The known names follow it. */
const unexpected = "unexpected:"

const expectedOf = (leaf: SchemaIssue.Leaf): string | undefined => {
  const expected = "ast" in leaf ? leaf.ast?.annotations?.["expected"] : undefined
  return typeof expected === "string" ? expected : undefined
}

const noSuchOption = (option: string, names: ReadonlyArray<string>, actual: unknown): OptionsProblem => {
  const groupEnd = option.lastIndexOf(".") + 1
  const group = option.slice(0, groupEnd)
  const meant = names.find((name) => letters(name) === letters(option.slice(groupEnd)))
  const hint = meant === undefined ? `. It has: ${listOf(names, group)}` : `; did you mean "${group}${meant}"?`
  return {
    option,
    expected: `one of ${listOf(names, group)}`,
    actual,
    message: `has no option "${option}"${hint}`
  }
}

const listOf = (names: ReadonlyArray<string>, group: string): string => names.map((name) => group + name).join(", ")

/** The letters of a name, without the usual differences: capitals, separators, a plural. */
const letters = (name: string): string => name.toLowerCase().replace(/[^a-z]|s$/g, "")
