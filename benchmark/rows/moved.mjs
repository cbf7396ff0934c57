/**
 * One operation: a `Uint8Array` of 1 MB is moved to a thread, which adds 1 to its first
 * byte and moves it back. Four arrays go back and forth, none is allocated meanwhile.
 */
import { Effect } from "effect"
import { equal, throughput } from "../measure.mjs"
import { peers, self } from "../names.mjs"

export const title = "1 MB moved to a thread and back"

export const contenders = [self, ...peers, "bare"]

export const metrics = [{ key: "perSecond", label: "tasks per second", better: "more" }]

export const note = { poolifier: "copies it on the way back" }

export const measure = async ({ start }, { millis }) => {
  const pool = await start({ threads: 2 })
  const free = Array.from({ length: 4 }, () => new Uint8Array(2 ** 20))
  let touched = 0
  let expected = 0
  const { perSecond } = await throughput({
    millis: millis(300),
    concurrency: free.length,
    operation: () => {
      const sent = free.pop()
      return Effect.map(pool.move(sent), (returned) => {
        equal(sent.byteLength, 0, "the length of the array that was moved away")
        equal(returned.byteLength, 2 ** 20, "the length of the array that came back")
        free.push(returned)
      })
    },
    check: (count) => {
      expected = (expected + count) % 256
      touched = free.reduce((sum, bytes) => sum + bytes[0], 0) % 256
      equal(touched, expected, "the sum of the first bytes")
    }
  })
  return { perSecond }
}

export const budgets = (median) => [
  {
    what: "1 MB moved both ways, time, times a bare transfer",
    value: median("bare", "perSecond") / median(self, "perSecond"),
    atMost: 1.1
  }
]
