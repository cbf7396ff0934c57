/**
 * The soak of the SQLite client. First it kills a program that writes, again and again: every acknowledged write must be
 * in its database. Then it reads, writes, streams and interrupts for minutes: no error, no write lost or torn, the WAL
 * bounded, memory flat, the event loop free.
 *
 *   npm run soak:sqlite                            100 kills, two minutes
 *   npm run soak:sqlite -- --kills 300 --minutes 10 --isolation process --seed 7
 *
 * Exits with 1 if a check fails. `.ci/run` runs it for some seconds with a fixed seed.
 */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { SqliteClient } from "@effect-blocking/sqlite"
import { Console, Effect, Fiber, Random, Schedule, Stream } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { parseArgs } from "node:util"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { crash } from "../packages/sqlite/test/utils/crash.ts"
import { insertMany } from "./sqliteBodies.ts"

const { values: options } = parseArgs({
  options: {
    kills: { type: "string", default: "100" },
    minutes: { type: "string", default: "2" },
    isolation: { type: "string", default: "thread" },
    seed: { type: "string", default: `${Date.now() % 100_000}` }
  }
})
const isolation = options.isolation === "process" ? "process" : "thread"

setFlagsFromString("--expose-gc")
const collectGarbage = runInNewContext("gc") as () => void

const mb = (bytes: number): string => (bytes / 2 ** 20).toFixed(1)

/** Above this number of rows, the oldest are deleted. */
const mostRows = 20_000
const journalSizeLimit = 4 * 2 ** 20

const kills = Effect.fnUntraced(function*(folder: string) {
  const count = Number(options.kills)
  const half = Math.ceil(count / 2)
  for (const [isolation, kills] of [["thread", half], ["process", count - half]] as const) {
    if (kills === 0) continue
    const random = yield* Effect.map(Random.nextInt, (seed) => seededBy(seed))
    const result = yield* Effect.promise(() => crash(join(folder, `${isolation}.db`), isolation, kills, random))
    yield* Console.log(
      `${isolation}: ${kills} kills, ${result.acknowledged} writes acknowledged, ${result.lost.length} lost, ` +
        `${result.torn.length} torn, integrity ${result.integrity}`
    )
    if (result.lost.length + result.torn.length > 0 || result.integrity !== "ok") process.exitCode = 1
  }
})

const seededBy = (seed: number) => () => {
  seed = (Math.abs(seed) * 1_103_515_245 + 12_345) % 2 ** 31
  return seed / 2 ** 31
}

const figures = { reads: 0, writes: 0, interrupted: 0, streamed: 0, streams: 0 }
const faults: Array<string> = []
/** Writes that were acknowledged, and not deleted since. */
const acknowledged = new Set<string>()

const fault = (what: string) => (error: unknown) =>
  Effect.sync(() => {
    if (faults.length < 20) faults.push(`${what}: ${error instanceof Error ? error.message : String(error)}`)
  })

let ids = 0

const write = Effect.gen(function*() {
  const sql = yield* SqliteClient.SqliteClient
  const id = `w${++ids}`
  const row = (part: number, parts: number) => sql.insert({ write: id, part, parts, bytes: "x".repeat(part * 200) })
  const kind = yield* Random.nextIntBetween(0, 3)
  const writes = [
    sql`INSERT INTO row ${row(1, 1)}`,
    sql.batch([1, 2, 3].map((part) => sql`INSERT INTO row ${row(part, 3)}`)),
    sql.transact(insertMany, id, 5),
    sql.withTransaction(Effect.forEach([1, 2], (part) => sql`INSERT INTO row ${row(part, 2)}`, { discard: true }))
  ]
  const acknowledge = Effect.tap(writes[kind]!, () => Effect.sync(() => void acknowledged.add(id)))
  if ((yield* Random.nextIntBetween(0, 5)) > 0) {
    yield* Effect.catch(acknowledge, fault("write"))
    figures.writes++
    return
  }
  const fiber = yield* Effect.forkChild(acknowledge, { startImmediately: true })
  yield* Effect.sleep(yield* Random.nextIntBetween(0, 4))
  yield* Fiber.interrupt(fiber)
  figures.interrupted++
})

const read = Effect.gen(function*() {
  const sql = yield* SqliteClient.SqliteClient
  const kind = yield* Random.nextIntBetween(0, 3)
  const reads = [
    sql`SELECT * FROM row WHERE rowid = ${yield* Random.nextIntBetween(1, 100_000)}`,
    sql`SELECT "write", part FROM row ORDER BY rowid DESC LIMIT 3000`,
    sql`SELECT count(*) AS n, sum(length(bytes)) AS bytes FROM row`,
    sql.readTransaction(Effect.gen(function*() {
      const first = yield* sql`SELECT count(*) AS n FROM row`
      yield* Effect.sleep(5)
      const second = yield* sql`SELECT count(*) AS n FROM row`
      if (first[0]!.n !== second[0]!.n) {
        yield* fault("a read transaction saw a write")(`${first[0]!.n}, ${second[0]!.n}`)
      }
    }))
  ]
  yield* Effect.catch(Effect.asVoid(reads[kind]!), fault("read"))
  figures.reads++
})

/** A stream that is read slowly, so that it is open for a second or two. Some are not read to the end. */
const stream = Effect.gen(function*() {
  const sql = yield* SqliteClient.SqliteClient
  const rows = sql<{ readonly part: number }>`SELECT rowid, part, bytes FROM row ORDER BY rowid`.stream
  const most = (yield* Random.nextBoolean) ? 500 : Infinity
  yield* rows.pipe(
    Stream.take(most),
    Stream.runForEachArray((chunk) => {
      figures.streamed += chunk.length
      return Effect.sleep(10)
    }),
    Effect.catch(fault("stream"))
  )
  figures.streams++
})

const trim = Effect.gen(function*() {
  const sql = yield* SqliteClient.SqliteClient
  const deleted = yield* sql<{ readonly write: string }>`
    DELETE FROM row WHERE "write" IN (
      SELECT DISTINCT "write" FROM row WHERE rowid <= (SELECT max(rowid) FROM row) - ${mostRows}
    ) RETURNING "write"`
  for (const { write } of deleted) acknowledged.delete(write)
}).pipe(Effect.catch(fault("delete")), Effect.repeat(Schedule.spaced("500 millis")))

const mixed = Effect.gen(function*() {
  const sql = yield* SqliteClient.SqliteClient
  yield* sql`CREATE TABLE row ("write" TEXT, part INTEGER, parts INTEGER, bytes TEXT)`
  yield* sql`CREATE INDEX row_write ON row ("write")`
  const delay = monitorEventLoopDelay({ resolution: 1 })
  const samples: Array<{ readonly heap: number; readonly resident: number; readonly wal: number }> = []
  const sample = Effect.gen(function*() {
    collectGarbage()
    const { external, heapUsed, rss } = process.memoryUsage()
    samples.push({ heap: heapUsed + external, resident: rss, wal: (yield* sql.stats).walBytes })
  }).pipe(Effect.repeat(Schedule.spaced("2 seconds")))
  const times = (count: number, action: Effect.Effect<unknown, never, SqliteClient.SqliteClient>) =>
    Array.from({ length: count }, () => Effect.forever(action))
  delay.enable()
  yield* Effect.raceFirst(
    Effect.sleep(Number(options.minutes) * 60_000),
    Effect.all([...times(8, write), ...times(8, read), ...times(2, stream), trim, sample], {
      concurrency: "unbounded",
      discard: true
    })
  )
  delay.disable()
  const rows = yield* sql<{ readonly write: string; readonly found: number; readonly parts: number }>`
    SELECT "write", count(*) AS found, max(parts) AS parts FROM row GROUP BY "write"`
  const there = new Set(rows.map(({ write }) => write))
  const lost = Array.from(acknowledged).filter((id) => !there.has(id))
  const torn = rows.filter(({ found, parts }) => found !== parts)
  if (lost.length > 0) faults.push(`${lost.length} acknowledged writes are missing: ${lost.slice(0, 5).join(", ")}`)
  if (torn.length > 0) faults.push(`${torn.length} writes are there only in part`)
  const settled = samples.slice(Math.min(3, samples.length - 1))
  const third = Math.ceil(settled.length / 3)
  const most = (of: keyof (typeof samples)[number], part: typeof samples) =>
    Math.max(...part.map((sample) => sample[of]))
  const [first, last] = [settled.slice(0, third), settled.slice(-third)]
  const wal = most("wal", samples)
  yield* Console.log(
    `${isolation}, ${options.minutes} minutes, seed ${options.seed}: ${figures.reads} reads, ${figures.writes} writes, ` +
      `${figures.interrupted} interrupted, ${figures.streams} streams of ${figures.streamed} rows\n` +
      `heap ${mb(most("heap", first))} -> ${mb(most("heap", last))} MB, resident ${mb(most("resident", first))} -> ` +
      `${mb(most("resident", last))} MB, WAL at most ${mb(wal)} MB, ` +
      `event loop p99 ${(delay.percentile(99) / 1e6).toFixed(1)} ms, longest ${(delay.max / 1e6).toFixed(0)} ms`
  )
  // Arbitrary: after minutes, a leak of rows or statements is much larger.
  if (most("heap", last) > most("heap", first) * 1.3 + 20 * 2 ** 20) faults.push("the heap grows")
  // Streams of some seconds keep the writes of that time in the WAL, which can be 100 MB a second.
  if (wal > 2 ** 29) faults.push(`the WAL grew to ${mb(wal)} MB`)
})

const program = Effect.gen(function*() {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-blocking-soak-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )
  yield* kills(folder)
  if (Number(options.minutes) === 0) return
  yield* Effect.provide(
    mixed,
    SqliteClient.layer({
      filename: join(folder, "mixed.db"),
      isolation,
      readers: 2,
      journalSizeLimit,
      synchronous: "normal"
    })
  )
  for (const text of faults) yield* Console.error(text)
  if (faults.length > 0) process.exitCode = 1
  else yield* Console.log("No faults.")
}).pipe(Effect.scoped, Random.withSeed(options.seed))

NodeBlocking.runMain(program)
