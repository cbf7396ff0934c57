/** Runners, clients and connections that die, as processes on one machine. */
import { assert, describe, it } from "@effect/vitest"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll } from "vitest"
import type { Place } from "./fixtures/farm.ts"
import { close, notesIn, type Process, startCaller, startClient, startRunner } from "./utils/faults.ts"
import * as Postgres from "./utils/postgres.ts"

const lockMillis = 2000

if (Postgres.missing !== undefined) console.log(`Skipped: faults on PostgreSQL. ${Postgres.missing}`)

let postgres: Postgres.Postgres | undefined

const storages = [
  {
    name: "SQLite",
    skipped: false,
    place: (folder: string): Place => ({ sqlite: join(folder, "farm.db"), lockMillis })
  },
  {
    name: "PostgreSQL",
    skipped: Postgres.missing !== undefined,
    place: (): Place => ({ postgres: postgres!.url, lockMillis })
  }
]

const until = async (condition: () => boolean) => {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10))
}

const withFolder = async (use: (folder: string, track: (process: Process) => Process) => Promise<void>) => {
  const folder = mkdtempSync(join(tmpdir(), "effect-blocking-faults-"))
  const processes: Array<Process> = []
  try {
    await use(folder, (process) => {
      processes.push(process)
      return process
    })
  } finally {
    await Promise.all(processes.map((process) => process.kill()))
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

for (const { name, place: placeIn, skipped } of storages) {
  describe.skipIf(skipped)(`faults on ${name}`, { concurrent: false, timeout: 240_000 }, () => {
    if (name === "PostgreSQL") {
      beforeAll(async () => {
        postgres = await Postgres.start()
      }, 120_000)
      afterAll(() => postgres?.stop())
    }

    it("N3: a task of a killed runner runs elsewhere, with its attempt, and no acknowledged task is lost", () =>
      withFolder(async (folder, track) => {
        const place = placeIn(folder)
        const book = join(folder, "book")
        const acknowledged = new Set<string>()
        const deaths = new Map<number, number>()
        const kill = async (runner: Process) => {
          await runner.kill()
          deaths.set(runner.pid, Date.now())
        }
        const client = track(startClient(place, book, "a", 30, 50, acknowledged))
        let runners = [track(startRunner(place, 1, false)), track(startRunner(place, 1, false))]
        for (let kills = 0; kills < 4; kills++) {
          const [first, second] = runners as [Process, Process]
          // It has started a body since.
          const seen = notesIn(book).length
          await until(() => notesIn(book).slice(seen).some(({ pid, what }) => what === "begin" && pid === first.pid))
          await kill(first)
          runners = [second, track(startRunner(place, 1, false))]
          if (kills === 1) {
            // The client dies too. Another one submits all tasks again, and the rest.
            await client.kill()
            track(startClient(place, book, "a", 30, 50, acknowledged))
          }
        }
        await until(() => acknowledged.size === 30)
        const books = await close(place, book, acknowledged, deaths)
        assert.deepInclude(books, { acknowledged: 30, results: 30, lost: [], sameAttempt: 0 }, JSON.stringify(books))
        assert.isAtMost(books.repeated, 4, "each kill repeats one body")
      }))

    it("N3: a runner that is cut off and comes back changes no result", () =>
      withFolder(async (folder, track) => {
        const place = placeIn(folder)
        const book = join(folder, "book")
        const acknowledged = new Set<string>()
        const frozen = track(startRunner(place, 1, false))
        await frozen.ready
        const client = track(startClient(place, book, "a", 1, 300, acknowledged))
        await until(() => notesIn(book).length === 1)
        frozen.signal("SIGSTOP")
        await client.ready
        track(startRunner(place, 1, false))
        const elsewhere = () => notesIn(book).filter(({ pid, what }) => what === "end" && pid !== frozen.pid)
        await until(() => elsewhere().length === 1)
        frozen.signal("SIGCONT")
        await until(() => notesIn(book).length >= 3)
        const books = await close(place, book, acknowledged, new Map())
        assert.deepInclude(books, { results: 1, lost: [], repeated: 1, sameAttempt: 0 }, JSON.stringify(books))
      }))

    it("N3, N4: a call whose runner is killed fails typed, and one whose caller is killed is stopped", () =>
      withFolder(async (folder, track) => {
        const place = placeIn(folder)
        const book = join(folder, "book")
        const runner = track(startRunner(place, 1, true))
        await runner.ready
        const caller = track(startCaller(place, book, "a"))
        const begun = (key: string) => notesIn(book).some((note) => note.what === "begin" && note.key === key)
        await until(() => begun("a"))
        await caller.kill()
        // Its thread is free again, for the next call.
        const survivor = startCaller(place, book, "b")
        track(survivor)
        await until(() => begun("b"))
        await runner.kill()
        assert.strictEqual(await survivor.outcome, "RunnerLost")
        assert.deepStrictEqual(notesIn(book).map(({ key, what }) => `${what} ${key}`), ["begin a", "begin b"])
      }))

    it("N2: a runner whose threads all compute keeps its locks, though another one is idle", () =>
      withFolder(async (folder, track) => {
        const place = placeIn(folder)
        const book = join(folder, "book")
        const acknowledged = new Set<string>()
        const busy = track(startRunner(place, 2, false))
        await busy.ready
        track(startClient(place, book, "a", 2, lockMillis * 3, acknowledged))
        await until(() => notesIn(book).length === 2)
        await track(startRunner(place, 2, false)).ready
        const books = await close(place, book, acknowledged, new Map())
        assert.deepInclude(books, { results: 2, lost: [], repeated: 0 }, JSON.stringify(books))
        assert.deepStrictEqual(new Set(notesIn(book).map(({ pid }) => pid)), new Set([busy.pid]))
      }))

    if (name !== "PostgreSQL") return

    it(
      "N3: connections of the database may end at any time",
      () =>
        withFolder(async (folder, track) => {
          const place = placeIn(folder)
          const book = join(folder, "book")
          const acknowledged = new Set<string>()
          track(startRunner(place, 2, false))
          track(startClient(place, book, "a", 40, 20, acknowledged))
          for (let ends = 1; ends <= 5; ends++) {
            await until(() => notesIn(book).length > ends * 8)
            postgres!.endConnections()
          }
          await until(() => acknowledged.size === 40)
          const books = await close(place, book, acknowledged, new Map())
          assert.deepInclude(books, { acknowledged: 40, results: 40, lost: [] }, JSON.stringify(books))
        })
    )
  })
}
