/** Values of `effect/Result` without importing it: the module would slow the start of each thread. */
import type * as Result from "effect/Result"

const ResultTypeId = "~effect/Result"

export const result: {
  <A>(tag: "Success", value: A): Result.Result<A>
  <E>(tag: "Failure", value: E): Result.Result<never, E>
} = (tag: "Success" | "Failure", value: unknown): Result.Result<never, never> =>
  ({ [ResultTypeId]: ResultTypeId, _tag: tag, [tag === "Success" ? "success" : "failure"]: value }) as never

const tagOf = (value: unknown): unknown =>
  typeof value === "object" && value !== null && ResultTypeId in value && "_tag" in value ? value._tag : undefined

export const isFailure = (value: unknown): value is Result.Failure<unknown, unknown> => tagOf(value) === "Failure"

export const isSuccess = (value: unknown): value is Result.Success<unknown, unknown> => tagOf(value) === "Success"
