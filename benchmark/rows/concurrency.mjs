/**
 * One operation: as in row `tiny`, with 1, 10, 100, 1000 or 10 000 at a time.
 */
import { additions, throughput } from "../measure.mjs"
import { peers, self } from "../names.mjs"

export const title = "Tiny tasks by concurrency"

export const contenders = [self, ...peers, "bare", "effect"]

const levels = [1, 10, 100, 1000, 10_000]

export const metrics = levels.map((level) => ({
  key: `at${level}`,
  label: `tasks per second, ${level} at a time`,
  better: "more"
}))

export const measure = async ({ start }, { millis }) => {
  const pool = await start({ threads: 2 })
  const values = {}
  await throughput({ millis: millis(100), warmUpMillis: millis(700), concurrency: 1000, ...additions(pool) })
  for (const concurrency of levels) {
    const { perSecond } = await throughput({ millis: millis(150), concurrency, ...additions(pool) })
    values[`at${concurrency}`] = perSecond
  }
  return values
}
