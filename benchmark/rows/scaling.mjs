/**
 * One operation: `pool.run("burn", …)`, about a millisecond of computing, 64 at a time, on a
 * pool of one thread and then on a pool of two. Two cores can at most double it.
 */
import { Effect } from "effect"
import { burn } from "../contenders/bodies.mjs"
import { close, equal, throughput } from "../measure.mjs"
import { peers, self } from "../names.mjs"

export const title = "Computing tasks on one thread and on two"

export const contenders = [self, ...peers, "bare"]

export const metrics = [
  { key: "one", label: "tasks per second, 1 thread", better: "more" },
  { key: "two", label: "tasks per second, 2 threads", better: "more" },
  { key: "scaling", label: "2 threads over 1", better: "more" }
]

const rounds = 1_000_000

const rate = async ({ start }, threads, millis) => {
  const pool = await start({ threads })
  const expected = burn(rounds)
  let right = 0
  const { perSecond } = await throughput({
    millis,
    concurrency: 64,
    operation: () =>
      Effect.map(pool.run("burn", rounds), (value) => {
        if (value === expected) right++
      }),
    check: (count) => {
      equal(right, count, "the number of right results")
      right = 0
    }
  })
  await close(pool)
  return perSecond
}

export const measure = async (contender, { millis }) => {
  const one = await rate(contender, 1, millis(200))
  const two = await rate(contender, 2, millis(200))
  return { one, two, scaling: two / one }
}
