/** Pool threads load this module. */
import { Task } from "effect-blocking"
import * as Result from "effect/Result"

/** Divides integers. Zero is a domain error. Anything but an integer is a bug of the caller: the body throws. */
export const divide = Task.make(import.meta.url, "divide", (dividend: number, divisor: number) => {
  if (!Number.isInteger(dividend) || !Number.isInteger(divisor)) {
    throw new TypeError(`${dividend} / ${divisor}: not integers`)
  }
  if (divisor === 0) return Result.fail({ _tag: "DivisionByZero", dividend } as const)
  return Result.succeed(Math.trunc(dividend / divisor))
})
