/** Pool threads load this module: it imports `effect/Result` alone, because all of `effect` makes them start slowly. */
import { Task } from "effect-blocking"
import * as Result from "effect/Result"

/** One number a line. A line that is not a number is an answer that the caller expects: a domain error. */
export const parse = Task.make(import.meta.url, "parse", (text: string) => {
  const numbers: Array<number> = []
  for (const [index, line] of text.split("\n").entries()) {
    const number = Number(line)
    if (line.trim() === "" || Number.isNaN(number)) {
      return Result.fail({ _tag: "NotANumber", line: index + 1, text: line } as const)
    }
    numbers.push(number)
  }
  return Result.succeed(numbers)
})
