/**
 * Values of `Result`, for bodies. They work with all functions of `effect/Result`,
 * and do not load it: a pool thread would pay for that at its start.
 *
 * Pool threads load this file: it imports nothing at run time.
 */
import type * as Result from "effect/Result"

const TypeId = "~effect/Result"

const prototype = {
  [TypeId]: { _A: (value: never) => value, _E: (value: never) => value },
  // Yielded once, as in Result.gen.
  *[Symbol.iterator](): Iterator<unknown> {
    return yield this
  },
  pipe(...functions: ReadonlyArray<(value: unknown) => unknown>): unknown {
    return functions.reduce<unknown>((value, f) => f(value), this)
  }
}

const make = (fields: object): object => Object.assign(Object.create(prototype) as object, fields)

export const succeed = <A>(success: A): Result.Result<A> => make({ _tag: "Success", success }) as Result.Result<A>

export const fail = <E>(failure: E): Result.Result<never, E> =>
  make({ _tag: "Failure", failure }) as Result.Result<never, E>
