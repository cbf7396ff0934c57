/** Shared by the rows of the SQLite client. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fill } from "./contenders/sqlite/files.mjs"
import { self } from "./names.mjs"

export const contenders = [self, "node-sqlite", "better-sqlite3", "better-sqlite3-piscina", "sqlite3", "libsql"]

/** Runs `use` with a contender's client, on a database of its own. */
export const withDatabase = async ({ open }, use) => {
  const folder = mkdtempSync(join(tmpdir(), "effect-blocking-benchmark-"))
  try {
    const filename = join(folder, "bench.db")
    fill(filename)
    const database = await open(filename)
    const values = await use(database)
    await database.close()
    return values
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
