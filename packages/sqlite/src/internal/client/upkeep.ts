/** Keeps the WAL small: readers that never pause let it grow for ever. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { stat } from "node:fs/promises"
import { basename } from "node:path"
import { Objects } from "../thread/reply.ts"
import type { Database } from "./database.ts"

const walBytesGauge = Metric.gauge("effect_blocking_sqlite_wal_bytes", {
  description: "Size of the write-ahead log"
})

const looksEvery = "1 second"
/** How often a WAL that cannot be emptied is told. */
const tellsEveryMillis = 60_000
/** How long new streams and read transactions wait for those that are open. When that was in vain, others are let in for as long. */
const holdMillis = 15_000
/** So many times the limit is more than readers of some seconds make of it. */
const toldAt = 4

export const walBytes = (filename: string): Effect.Effect<number> =>
  Effect.promise(() => stat(`${filename}-wal`).then(({ size }) => size, () => 0))

/** Empties the WAL when it has grown beyond its limit, and says so if readers keep that from happening. */
export const upkeep = (database: Database): Effect.Effect<void, never, Scope.Scope> => {
  const { filename, journalSizeLimit, wal } = database.options
  if (!wal) return Effect.void
  const gauge = Metric.withAttributes(walBytesGauge, { database: basename(filename) })
  let told = -Infinity
  let heldBack = -Infinity
  /** Whether it could: how large the WAL is then says nothing, because others write on. */
  const empty = Effect.map(
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)", [], Objects),
    (rows) => (rows as [{ readonly busy: number }])[0].busy === 0
  )
  const look = Effect.gen(function*() {
    const now = yield* Clock.currentTimeMillis
    let bytes = yield* walBytes(filename)
    let emptied = bytes <= journalSizeLimit || (yield* empty)
    if (!emptied && bytes > toldAt * journalSizeLimit && now - heldBack > holdMillis) {
      // Reads that end within milliseconds are still in the way, now and then.
      const often = Effect.gen(function*() {
        for (let tries = 0; tries < 20; tries++) {
          if (yield* empty) return true
          yield* Effect.sleep(5)
        }
        return false
      })
      emptied = yield* database.longReads.withoutNew(holdMillis, Effect.orElseSucceed(often, () => false))
      if (!emptied) heldBack = yield* Clock.currentTimeMillis
    }
    if (emptied) bytes = yield* walBytes(filename)
    yield* Metric.update(gauge, bytes)
    if (emptied || bytes <= toldAt * Math.max(journalSizeLimit, 1024 * 1024) || now - told < tellsEveryMillis) return
    told = now
    const { readers, writer } = database.pools
    const { openStreams } = yield* (readers ?? writer).stats
    yield* Effect.logWarning(
      `The WAL of ${filename} holds ${
        Math.round(bytes / 1e6)
      } MB and cannot be emptied while reads are open that began ` +
        `before: ${openStreams} streams are open, and sql.readTransaction counts as well. Read faster, or lower streamTimeLimit`
    )
  })
  return Effect.forkScoped(Effect.repeat(Effect.ignore(look, { log: "Debug" }), Schedule.spaced(looksEvery))).pipe(
    Effect.asVoid
  )
}
