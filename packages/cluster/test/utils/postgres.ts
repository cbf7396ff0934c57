/** A PostgreSQL server for one test file, on a free port, if PostgreSQL is installed. */
import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

const inPath = (): string | undefined =>
  (process.env.PATH ?? "").split(":").find((folder) => existsSync(join(folder, "initdb")))

/** Debian does not put the programs of the server into the path. */
const folder = (): string | undefined => {
  const debian = "/usr/lib/postgresql"
  const versions = existsSync(debian) ? readdirSync(debian).sort() : []
  return versions.map((version) => join(debian, version, "bin")).findLast((bin) => existsSync(join(bin, "initdb"))) ??
    inPath()
}

const bin = process.platform === "win32" ? undefined : folder()

/** The server refuses to run as root: then it runs as the user of its package. */
const user = (): { readonly uid: number; readonly gid: number } | undefined => {
  if (process.getuid?.() !== 0) return undefined
  const id = (which: string) => Number(execFileSync("id", [which, "postgres"], { encoding: "utf8" }))
  return { uid: id("-u"), gid: id("-g") }
}

/** The reason why there is no server; `undefined` if there is one. */
export const missing = bin === undefined
  ? "PostgreSQL is not installed (Debian: apt-get install postgresql)"
  : undefined

export const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  server.close()
  await once(server, "close")
  return (address as { readonly port: number }).port
}

export interface Postgres {
  readonly url: string
  /** Ends all connections except its own, as a failover does. */
  readonly endConnections: () => void
  readonly stop: () => Promise<void>
}

export const start = async (): Promise<Postgres> => {
  const owner = user()
  const home = mkdtempSync(join(tmpdir(), "effect-blocking-postgres-"))
  if (owner !== undefined) chownSync(home, owner.uid, owner.gid)
  const options = { ...owner, cwd: home, stdio: "pipe", encoding: "utf8" } as const
  const data = join(home, "data")
  execFileSync(join(bin!, "initdb"), ["-D", data, "-U", "test", "-A", "trust", "--no-sync", "-E", "UTF8"], options)
  const port = await freePort()
  const server = spawn(
    join(bin!, "postgres"),
    ["-D", data, "-p", `${port}`, "-k", home, "-h", "127.0.0.1", "-F", "-c", "max_connections=100"],
    { ...owner, cwd: home, stdio: "ignore" }
  )
  const psql = (sql: string) =>
    execFileSync(
      join(bin!, "psql"),
      ["-h", home, "-p", `${port}`, "-U", "test", "-d", "postgres", "-qAtc", sql],
      options
    )
  for (let tries = 0;; tries++) {
    try {
      psql("SELECT 1")
      break
    } catch (error) {
      if (tries > 600 || server.exitCode !== null) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  let databases = 0
  return {
    get url() {
      const name = `test${++databases}`
      psql(`CREATE DATABASE ${name}`)
      return `postgres://test@127.0.0.1:${port}/${name}`
    },
    endConnections: () => {
      psql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
      )
    },
    stop: async () => {
      const ended = once(server, "exit")
      server.kill("SIGQUIT")
      await ended
      rmSync(home, { recursive: true, force: true })
    }
  }
}
