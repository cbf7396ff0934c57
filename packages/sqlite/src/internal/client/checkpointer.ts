/** Keeps the WAL small. Readers that overlap without end would let it grow forever. */
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

const checkInterval = "1 second"
/** The minimum time between two warnings about a WAL that cannot be emptied. */
const warningIntervalMillis = 60_000
/**
 * How long new streams and read transactions wait for those that are open. If the WAL cannot be
 * emptied within this time, new ones are let in for as long.
 */
const holdMillis = 15_000
/** WAL size, as a multiple of its limit, that short readers alone never cause. */
const largeFactor = 4

export const walBytes = (filename: string): Effect.Effect<number> =>
  Effect.promise(() => stat(`${filename}-wal`).then(({ size }) => size, () => 0))

/** Empties the WAL when it exceeds its limit, and warns if readers prevent that. */
export const checkpointer = (database: Database): Effect.Effect<void, never, Scope.Scope> => {
  const { filename, journalSizeLimit, wal } = database.options
  if (!wal) return Effect.void
  const gauge = Metric.withAttributes(walBytesGauge, { database: basename(filename) })
  let lastWarning = -Infinity
  let lastFailedHold = -Infinity
  /** Returns whether the WAL was emptied. Its size afterwards does not tell: others may have written since. */
  const empty = Effect.map(
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)", [], Objects),
    (rows) => (rows as [{ readonly busy: number }])[0].busy === 0
  )
  const check = Effect.gen(function*() {
    const now = yield* Clock.currentTimeMillis
    let bytes = yield* walBytes(filename)
    let emptied = bytes <= journalSizeLimit || (yield* empty)
    if (!emptied && bytes > largeFactor * journalSizeLimit && now - lastFailedHold > holdMillis) {
      // Short reads are not held back, and may block a try.
      const emptyBetweenReads = Effect.gen(function*() {
        for (let tries = 0; tries < 20; tries++) {
          if (yield* empty) return true
          yield* Effect.sleep(5)
        }
        return false
      })
      emptied = yield* database.longReads.withoutNew(holdMillis, Effect.orElseSucceed(emptyBetweenReads, () => false))
      if (!emptied) lastFailedHold = yield* Clock.currentTimeMillis
    }
    if (emptied) bytes = yield* walBytes(filename)
    yield* Metric.update(gauge, bytes)
    if (emptied || bytes <= largeFactor * Math.max(journalSizeLimit, 1024 * 1024)) return
    if (now - lastWarning < warningIntervalMillis) return
    lastWarning = now
    const { readers, writer } = database.pools
    const { openStreams } = yield* (readers ?? writer).stats
    yield* Effect.logWarning(
      `The WAL of ${filename} holds ${Math.round(bytes / 1e6)} MB and cannot be emptied while older reads are open: ` +
        `${openStreams} streams, and perhaps sql.readTransaction. Read faster, or lower streamTimeLimit`
    )
  })
  return Effect.forkScoped(Effect.repeat(Effect.ignore(check, { log: "Debug" }), Schedule.spaced(checkInterval))).pipe(
    Effect.asVoid
  )
}
