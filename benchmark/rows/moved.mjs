/**
 * One operation: a `Uint8Array` of 1 MB is moved to a thread, which adds 1 to its first
 * byte and moves it back. First one array goes to one thread, then four go to two threads; no array
 * is allocated meanwhile. The four show pipelining: the bare loop posts to a busy thread. A pool
 * that starts tasks in order of submission cannot, because it could not take a moved array back
 * from behind a long task.
 */
import { Effect } from "effect"
import { most } from "../best.mjs"
import { close, equal, throughput } from "../measure.mjs"
import { peers, self } from "../names.mjs"

export const title = "1 MB moved to a thread and back"

export const contenders = [self, ...peers, "bare"]

export const metrics = [
  { key: "perSecond", label: "tasks per second, one array", better: "more" },
  { key: "fourPerSecond", label: "tasks per second, four arrays", better: "more" }
]

export const note = { poolifier: "copies it on the way back" }

export const measure = async ({ start }, { millis }) => {
  const moves = async (threads, arrays) => {
    const pool = await start({ threads })
    const free = Array.from({ length: arrays }, () => new Uint8Array(2 ** 20))
    let expected = 0
    const { perSecond } = await throughput({
      millis: millis(300),
      concurrency: arrays,
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
        const touched = free.reduce((sum, bytes) => sum + bytes[0], 0) % 256
        equal(touched, expected, "the sum of the first bytes")
      }
    })
    await close(pool)
    return perSecond
  }
  return { perSecond: await moves(1, 1), fourPerSecond: await moves(2, 4) }
}

export const budgets = (median) => [
  {
    what: "1 MB moved both ways, time, times a bare transfer",
    value: median("bare", "perSecond") / median(self, "perSecond"),
    atMost: 1.1
  },
  {
    what: "… four arrays, two threads",
    value: median("bare", "fourPerSecond") / median(self, "fourPerSecond")
  },
  {
    what: "1 MB moved both ways, four arrays, times the best peer",
    value: median(self, "fourPerSecond") / most(median, peers, "fourPerSecond"),
    atLeast: 1
  }
]
