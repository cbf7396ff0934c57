/**
 * How the values of a `Task.schema` cross: as the JSON form of their schemas.
 *
 * The only file that loads `effect/Schema` in a pool thread, and only for tasks
 * that have schemas.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import * as SchemaIssue from "effect/SchemaIssue"
import { NotCloneableError, stepOf } from "./cloneable.ts"

export interface TaskSchemas {
  readonly payload?: unknown
  readonly success?: unknown
  readonly error?: unknown
}

/** Key of the number of a later attempt, in one more argument after those of the body. */
const attemptKey = "~effect-blocking/attempt"

type Side = NotCloneableError["side"]
type Convert = (value: unknown) => unknown

const ofAnotherCopy = "the schema is of another copy of effect than effect-blocking uses: " +
  "one copy must serve both (`npm ls effect` lists them)"

/** The common prototype of all schema nodes of this copy. */
const node = Object.getPrototypeOf(Object.getPrototypeOf(Schema.String.ast)) as object

/**
 * Whether a node, or one in it, was made by another copy of `effect`. Each copy recognizes its
 * own nodes by its own classes and symbols, so conversions would silently do nothing.
 */
const isOfAnotherCopy = (part: unknown, seen = new Set<unknown>()): boolean => {
  if (typeof part !== "object" || part === null || seen.has(part)) return false
  seen.add(part)
  if (SchemaAST.isAST(part) && !Object.prototype.isPrototypeOf.call(node, part)) return true
  return Object.entries(part).some(([name, value]) => name !== "annotations" && isOfAnotherCopy(value, seen))
}

const converter = (
  schema: unknown,
  make: (
    codec: Schema.ConstraintCodec<unknown, unknown>
  ) => (value: unknown) => Result.Result<unknown, Schema.SchemaError>,
  side: Side,
  path: string
): Convert => {
  if (isOfAnotherCopy((schema as Schema.Top | undefined)?.ast)) {
    return () => {
      throw new NotCloneableError(side, path, ofAnotherCopy)
    }
  }
  const convert = make(Schema.toCodecJson((schema ?? Schema.Void) as Schema.Codec<unknown, unknown>))
  return (value) => {
    const result = convert(value)
    if (Result.isFailure(result)) {
      const { issue, message } = result.failure
      throw new NotCloneableError(side, path + stepsTo(issue), message)
    }
    return result.success
  }
}

const toIssues = SchemaIssue.makeFormatterStandardSchemaV1()

/** The path to the part that does not fit, as far as all issues share it: each member of a union has its own issue. */
const stepsTo = (issue: SchemaIssue.Issue): string => {
  const paths = toIssues(issue).issues.map(({ path = [] }) =>
    path.map((step) => {
      const key = typeof step === "object" ? step.key : step
      return typeof key === "number" ? `[${key}]` : stepOf({}, String(key))
    })
  )
  const [first = [], ...others] = paths
  const end = first.findIndex((step, i) => !others.every((path) => path[i] === step))
  return first.slice(0, end < 0 ? undefined : end).join("")
}

const encoder = (schema: unknown, side: Side, path: string): Convert =>
  converter(schema, (codec) => Schema.encodeUnknownResult(codec), side, path)

const decoder = (schema: unknown, side: Side, path: string): Convert =>
  converter(schema, (codec) => Schema.decodeUnknownResult(codec), side, path)

/** Throws a `NotCloneableError` for arguments that do not fit the payload's schema. */
export interface ThreadCodec {
  readonly decodeArguments: (args: Array<unknown>) => Array<unknown>
  /** The attempt that encoded arguments belong to. */
  readonly attemptOf: (args: ReadonlyArray<unknown>) => number
  /** Encodes the returned value, plain or a `Result`. */
  readonly encodeResult: (returned: unknown) => Result.Result<unknown, unknown>
}

const attemptIn = (mark: unknown): number =>
  typeof mark === "object" && mark !== null && attemptKey in mark ? Number(mark[attemptKey]) : 1

export const threadCodec = ({ error, payload, success }: TaskSchemas): ThreadCodec => {
  const decodePayload = decoder(payload, "argument", "arguments[0]")
  const encodeSuccess = encoder(success, "success", "result")
  const encodeError = encoder(error ?? Schema.Never, "failure", "error")
  return {
    decodeArguments: (args) => payload === undefined ? [] : [decodePayload(args[0])],
    attemptOf: (args) => attemptIn(args[payload === undefined ? 0 : 1]),
    encodeResult: (returned) =>
      Result.isResult(returned)
        ? Result.isSuccess(returned)
          ? Result.succeed(encodeSuccess(returned.success))
          : Result.fail(encodeError(returned.failure))
        : Result.succeed(encodeSuccess(returned))
  }
}

export interface HostCodec {
  readonly encodeArguments: (args: Array<unknown>) => Array<unknown>
  readonly decodeSuccess: Convert
  readonly decodeError: Convert
  /** Decodes the value of one item of a loop. */
  readonly decodeItem?: Convert
}

export const hostCodec = ({ error, payload, success }: TaskSchemas, attempt = 1): HostCodec => {
  const encodePayload = encoder(payload, "argument", "arguments[0]")
  const mark = attempt > 1 ? [{ [attemptKey]: attempt }] : []
  return {
    encodeArguments: (args) => [...(payload === undefined ? [] : [encodePayload(args[0])]), ...mark],
    decodeSuccess: decoder(success, "success", "result"),
    decodeError: decoder(error ?? Schema.Never, "failure", "error")
  }
}
