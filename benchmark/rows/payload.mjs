/**
 * One operation: `pool.run("echo", value)`. The value crosses to a thread and back by
 * structured clone. The values are an object of about 100 B and a string of 10 kB, 100 at a time,
 * and an object with 1 MB of bytes, 4 at a time.
 */
import { Effect } from "effect"
import { most } from "../best.mjs"
import { equal, throughput } from "../measure.mjs"
import { peers, pipelined, self } from "../names.mjs"

export const title = "Payloads copied to a thread and back"

export const contenders = [self, ...peers, ...pipelined, "bare"]

export const metrics = [
  { key: "object", label: "tasks per second, 100 B object", better: "more" },
  { key: "string", label: "tasks per second, 10 kB string", better: "more" },
  { key: "megabyte", label: "tasks per second, 1 MB copied", better: "more" }
]

const text = "x".repeat(10_000)
const megabyte = { bytes: new Uint8Array(2 ** 20).fill(7) }

export const payloads = {
  object: {
    concurrency: 100,
    value: (i) => ({ id: i, name: "Ada Lovelace", born: 1815, active: true, tags: ["mathematics", "engines"] }),
    isIntact: (value, i) => value.id === i && value.tags[1] === "engines"
  },
  string: { concurrency: 100, value: () => text, isIntact: (value) => value.length === text.length },
  megabyte: {
    concurrency: 4,
    value: () => megabyte,
    isIntact: ({ bytes }) => bytes.length === 2 ** 20 && bytes[2 ** 20 - 1] === 7
  }
}

/** Operations that send a payload to a thread and back, and check it each time. */
export const echoes = (pool, { isIntact, value }) => {
  let intact = 0
  return {
    operation: (i) =>
      Effect.map(pool.run("echo", value(i)), (returned) => {
        if (isIntact(returned, i)) intact++
      }),
    check: (count) => {
      equal(intact, count, "the number of values that came back intact")
      intact = 0
    }
  }
}

export const measure = async ({ start }, { millis }) => {
  const pool = await start({ threads: 2 })
  const values = {}
  for (const [key, payload] of Object.entries(payloads)) {
    const { perSecond } = await throughput({
      millis: millis(300),
      // Code for objects takes longer to compile than code for numbers.
      warmUpMillis: millis(700),
      concurrency: payload.concurrency,
      ...echoes(pool, payload)
    })
    values[key] = perSecond
  }
  return values
}

const limits = [
  { key: "object", what: "100 B objects there and back", bare: 2.5, peer: 3 },
  { key: "string", what: "10 kB strings there and back", bare: 2.5, peer: 2.5 },
  { key: "megabyte", what: "1 MB copied there and back", bare: 1.5, peer: 1.3 }
]

export const budgets = (median) =>
  limits.flatMap(({ bare, key, peer, what }) => [
    { what: `${what}, times bare postMessage`, value: median(self, key) / median("bare", key), atLeast: bare },
    {
      what: `${what}, times the best peer`,
      value: median(self, key) / most(median, [...peers, ...pipelined], key),
      atLeast: peer
    }
  ])
