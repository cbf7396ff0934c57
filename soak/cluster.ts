/**
 * The soak of a farm. Clients submit tasks and runners run them, while at random one of them is killed,
 * or cut off for longer than its locks, or the database ends its connections. At the end each
 * acknowledged task must have exactly its result. Bodies that ran twice are counted.
 *
 *   npm run soak:cluster                              100 kills on SQLite
 *   npm run soak:cluster -- --kills 1000 --storage postgres --runners 4 --seed 7
 *
 * Exits with 1 if a check fails. `.ci/run` runs some kills with a fixed seed.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import type { Place } from "../packages/cluster/test/fixtures/farm.ts"
import { close, notesIn, type Process, startClient, startRunner } from "../packages/cluster/test/utils/faults.ts"
import * as Postgres from "../packages/cluster/test/utils/postgres.ts"

const { values: options } = parseArgs({
  options: {
    kills: { type: "string", default: "100" },
    storage: { type: "string", default: "sqlite" },
    runners: { type: "string", default: "3" },
    "lock-millis": { type: "string", default: "2000" },
    seed: { type: "string", default: `${Date.now() % 100_000}` }
  }
})

let state = Number(options.seed)
const random = () => {
  state = (state * 1_103_515_245 + 12_345) % 2 ** 31
  return state / 2 ** 31
}
const oneOf = <A>(all: ReadonlyArray<A>): A => all[Math.floor(random() * all.length)]!

const sleep = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis))

const lockMillis = Number(options["lock-millis"])
const folder = mkdtempSync(join(tmpdir(), "effect-blocking-soak-"))
const book = join(folder, "book")
const acknowledged = new Set<string>()
const deaths = new Map<number, number>()
const counts = { runners: 0, clients: 0, partitions: 0, connections: 0 }

const usesPostgres = options.storage === "postgres"
if (usesPostgres && Postgres.missing !== undefined) throw new Error(Postgres.missing)
const postgres = usesPostgres ? await Postgres.start() : undefined
const place: Place = postgres === undefined
  ? { sqlite: join(folder, "farm.db"), lockMillis }
  : { postgres: postgres.url, lockMillis }

let prefixes = 0
/** More tasks than it can submit before it is killed, under keys of its own. */
const newClient = () =>
  startClient(place, book, `c${++prefixes}`, 1_000_000, 20 + Math.floor(random() * 100), acknowledged)
const newRunner = () => startRunner(place, 1, false)

const startedAt = Date.now()
let client: Process | undefined = newClient()
const runners = Array.from({ length: Number(options.runners) }, newRunner)
await Promise.all(runners.map(({ ready }) => ready))

const killRunner = async () => {
  const i = Math.floor(random() * runners.length)
  const runner = runners[i]!
  runners[i] = newRunner()
  await runner.kill()
  deaths.set(runner.pid, Date.now())
  counts.runners++
  await runners[i].ready
}

const total = Number(options.kills)
console.log(
  `${total} kills on ${options.storage}, ${runners.length} runners, locks of ${lockMillis} ms, seed ${options.seed}`
)
for (let kill = 1; kill <= total; kill++) {
  await sleep(random() * 200)
  // Clients are faster than runners: they stop while enough tasks wait.
  const waiting = acknowledged.size - notesIn(book).filter(({ what }) => what === "end").length
  if (client !== undefined && waiting > 200) {
    await client.kill()
    counts.clients++
    client = undefined
  } else if (client === undefined && waiting < 50) client = newClient()
  const which = random()
  if (which < 0.1 && client !== undefined) {
    await client.kill()
    client = newClient()
    counts.clients++
  } else if (which < 0.13) {
    const runner = oneOf(runners)
    runner.signal("SIGSTOP")
    await sleep(lockMillis * 1.5)
    runner.signal("SIGCONT")
    counts.partitions++
  } else if (which < 0.2 && postgres !== undefined) {
    postgres.endConnections()
    counts.connections++
  } else await killRunner()
  if (kill % 50 === 0) console.log(`${kill} kills, ${acknowledged.size} acknowledged, ${waiting} waiting`)
}
await client?.kill()

const books = await close(place, book, acknowledged, deaths)
await Promise.all(runners.map((runner) => runner.kill()))
await postgres?.stop()
rmSync(folder, { recursive: true, force: true, maxRetries: 5 })

console.log(
  `${counts.runners} runners and ${counts.clients} clients killed, ${counts.partitions} runners cut off, ` +
    `connections ended ${counts.connections} times, in ${Math.round((Date.now() - startedAt) / 1000)} s`
)
console.log(
  `${books.acknowledged} acknowledged, ${books.results} results, ${books.lost.length} lost; ${books.repeated} bodies started again, ` +
    `${books.repeatedAfterEnd} of them after an end; longest redelivery ${books.longestRedelivery} ms`
)
if (books.lost.length > 0 || books.results !== books.acknowledged || books.sameAttempt > 0) {
  console.error("Lost:", books.lost.slice(0, 20), `${books.sameAttempt} bodies with the attempt of another one`)
  process.exitCode = 1
}
