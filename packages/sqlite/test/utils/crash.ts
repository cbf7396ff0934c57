/** Kills a program that writes, again and again, and checks its database each time. */
import { spawn } from "node:child_process"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"

const program = join(import.meta.dirname, "..", "fixtures", "crashing.ts")

export interface Crashes {
  readonly kills: number
  /** Writes that were acknowledged as committed. */
  readonly acknowledged: number
  /** Acknowledged writes that are missing. */
  readonly lost: ReadonlyArray<string>
  /** Writes that are there only in part. */
  readonly torn: ReadonlyArray<string>
  readonly integrity: string
}

/** Kills the program `millis` after the given number of writes. Returns the acknowledged writes. */
const killOnce = (
  filename: string,
  isolation: "thread" | "process",
  writes: number,
  millis: number
): Promise<ReadonlyArray<string>> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, filename, isolation], { stdio: ["ignore", "pipe", "pipe"] })
    let printed = ""
    let failed = ""
    child.stderr.on("data", (data) => failed += data)
    let count = 0
    child.stdout.on("data", (data: Buffer) => {
      const before = count
      for (const byte of data) if (byte === 10) count++
      if (before < writes && count >= writes) setTimeout(() => child.kill("SIGKILL"), millis)
      printed += data.toString()
    })
    // Only a program that hangs takes this long.
    const hung = setTimeout(() => child.kill("SIGKILL"), 50_000)
    child.on("close", (code, signal) => {
      clearTimeout(hung)
      // The last line may be cut off: it counts only if it is complete.
      if (signal === "SIGKILL" && count >= writes) resolve(printed.split("\n").slice(0, -1))
      else reject(new Error(`The program ended with ${code ?? signal}: ${failed}${printed.slice(-500)}`))
    })
  })

export const crash = async (
  filename: string,
  isolation: "thread" | "process",
  kills: number,
  random: () => number,
  progress: (kill: number) => void = () => {}
): Promise<Crashes> => {
  const acknowledged = new Set<string>()
  let last: Pick<Crashes, "integrity" | "lost" | "torn"> = { lost: [], torn: [], integrity: "ok" }
  for (let kill = 1; kill <= kills; kill++) {
    for (const id of await killOnce(filename, isolation, 1 + Math.floor(random() * 60), random() * 5)) {
      acknowledged.add(id)
    }
    last = check(filename, acknowledged)
    progress(kill)
    if (last.lost.length + last.torn.length > 0 || last.integrity !== "ok") break
  }
  return { kills, acknowledged: acknowledged.size, ...last }
}

const check = (filename: string, acknowledged: ReadonlySet<string>): Pick<Crashes, "integrity" | "lost" | "torn"> => {
  // Processes of the killed program may end a moment later, and hold the lock until then.
  const database = new DatabaseSync(filename, { timeout: 10_000 })
  try {
    const rows = database.prepare(
      `SELECT "write", count(*) AS found, max(parts) AS parts FROM row GROUP BY "write"`
    ).all() as Array<unknown> as ReadonlyArray<
      { readonly write: string; readonly found: number; readonly parts: number }
    >
    const there = new Set(rows.map(({ write }) => write))
    const [integrity] = database.prepare("PRAGMA integrity_check").all() as Array<unknown> as [
      { readonly integrity_check: string }
    ]
    return {
      lost: Array.from(acknowledged).filter((id) => !there.has(id)),
      torn: rows.filter(({ found, parts }) => found !== parts).map(({ write }) => write),
      integrity: integrity.integrity_check
    }
  } finally {
    database.close()
  }
}
