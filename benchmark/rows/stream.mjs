/**
 * One operation: one element of a stream from a generator in a thread. The elements are small
 * objects, `{ id, name, ok }`, folded by Effect's `Stream.runFold`. Bare `postMessage`, piscina and
 * RPC without acknowledgements send chunks of 1024 without back-pressure; the others have it.
 *
 * multithreading's channel does not take part: it exceeds its 64 kB, and loses elements.
 *
 * Then it measures the first element of an endless stream, and the round trip of a task.
 */
import { Effect, Stream } from "effect"
import { equal, quantile, throughput } from "../measure.mjs"
import { self } from "../names.mjs"

export const title = "A stream from a body"

export const contenders = [self, "effect-rpc", "effect-rpc-unacknowledged", "piscina", "bare"]

export const metrics = [
  { key: "perSecond", label: "elements per second", better: "more" },
  { key: "takeOne", label: "take(1) of an endless stream, median, µs", better: "less" },
  { key: "roundTrip", label: "round trip of a task, median, µs", better: "less" }
]

/** Contenders that would never end an endless stream. */
const held = [self, "effect-rpc"]

const medianMicros = async (count, effect) => {
  const times = []
  await Effect.runPromise(Effect.gen(function*() {
    for (let i = 0; i < count; i++) {
      const start = performance.now()
      yield* effect
      times.push(performance.now() - start)
    }
  }))
  return quantile(times, 0.5) * 1000
}

export const measure = async ({ start }, { count, millis }, name) => {
  const pool = await start({ threads: 2 })
  const elements = count(100_000)
  const sumOfRows = pool.sumOfRows ?? ((count) => Stream.runFold(pool.rows(count), () => 0, (sum, { id }) => sum + id))
  const fold = Effect.map(sumOfRows(elements), (sum) => {
    equal(sum, (elements * (elements - 1)) / 2, "the sum of the elements")
  })
  const { perSecond } = await throughput({
    millis: millis(1000),
    concurrency: 1,
    atLeast: 1,
    operation: () => fold,
    check: () => {}
  })
  const values = { perSecond: perSecond * elements }
  if (held.includes(name)) {
    const first = Stream.runDrain(Stream.take(pool.rows(Infinity), 1))
    const trip = pool.run("add", 1, 1)
    await medianMicros(count(200), first)
    await medianMicros(count(1000), trip)
    values.takeOne = await medianMicros(count(500), first)
    values.roundTrip = await medianMicros(count(2000), trip)
  }
  return values
}

export const budgets = (median) => [
  {
    what: "stream of small objects, times Effect RPC with acknowledgements",
    value: median(self, "perSecond") / median("effect-rpc", "perSecond"),
    atLeast: 5
  },
  {
    what: "stream of small objects, times a bare postMessage loop",
    value: median(self, "perSecond") / median("bare", "perSecond"),
    atLeast: 0.75
  },
  {
    what: "take(1) of an endless stream, times a round trip",
    value: median(self, "takeOne") / median(self, "roundTrip"),
    below: 2
  }
]
