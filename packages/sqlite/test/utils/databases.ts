/** The kinds of database that run the contract. */
import { SqliteClient } from "@effect-blocking/sqlite"
import * as SqliteTest from "@effect-blocking/sqlite/SqliteTest"
import { Effect, Layer, Schedule, type Scope } from "effect"
import type { SqlClient } from "effect/sql"
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-blocking-sqlite-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true, maxRetries: 5 }))
)

export const init = new URL("../fixtures/init.ts", import.meta.url)

type Options = Partial<SqliteClient.Options>

export type DatabaseLayer = Layer.Layer<SqliteClient.SqliteClient | SqlClient.SqlClient>

export interface Backend {
  readonly name: string
  readonly layer: (options?: Options) => DatabaseLayer
  readonly memory: boolean
  readonly readers: number
  /** Whether statements run on threads. */
  readonly threads: boolean
  readonly isolation: "thread" | "process"
}

/** A database in a folder of its own, which is removed with the layer. */
export const inFile = (options: Options): DatabaseLayer =>
  Layer.unwrap(
    Effect.map(folder, (folder) => SqliteClient.layer({ filename: join(folder, "test.db"), init, ...options }))
  ).pipe(
    Layer.orDie
  )

const file = (name: string, own: { readonly readers: number; readonly isolation: "thread" | "process" }): Backend => ({
  name,
  // `full` is not under test, and many times slower.
  layer: (options) => inFile({ ...own, synchronous: "normal", ...options }),
  memory: false,
  threads: true,
  ...own
})

export const threads = file("threads", { readers: 2, isolation: "thread" })
export const processes = file("processes", { readers: 1, isolation: "process" })

export const backends: ReadonlyArray<Backend> = [
  threads,
  file("one connection", { readers: 0, isolation: "thread" }),
  processes,
  {
    name: "memory",
    layer: (options) => SqliteClient.layer({ filename: ":memory:", init, ...options }).pipe(Layer.orDie),
    memory: true,
    threads: true,
    readers: 0,
    isolation: "thread"
  },
  {
    name: "BlockingTest",
    layer: (options) => SqliteTest.layer({ init, ...options }).pipe(Layer.orDie),
    memory: true,
    threads: false,
    readers: 0,
    isolation: "thread"
  }
]

/** Stops a statement that calls `hold(started, release)` until the gate opens. */
export interface Gate {
  readonly args: readonly [started: string, release: string]
  readonly started: Effect.Effect<void>
  readonly open: Effect.Effect<void>
}

let gates = 0

export const gate: Effect.Effect<Gate, never, Scope.Scope> = Effect.map(folder, (folder) => {
  const [started, release] = [join(folder, `started${++gates}`), join(folder, `release${gates}`)]
  return {
    args: [started, release],
    started: Effect.asVoid(Effect.repeat(Effect.sync(() => existsSync(started)), {
      until: (exists) => exists,
      schedule: Schedule.spaced("2 millis")
    })),
    open: Effect.sync(() => writeFileSync(release, ""))
  } as const
})
