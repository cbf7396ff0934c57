/** A library that exports the inferred type of every public function. */
import { ClusterPool, ClusterStorage } from "@effect-blocking/cluster"
import { LiveView, Watchdog } from "@effect-blocking/devtools"
import { NodeBlocking } from "@effect-blocking/platform-node"
import { SqliteClient, SqliteTask } from "@effect-blocking/sqlite"
import * as SqliteTest from "@effect-blocking/sqlite/SqliteTest"
import { BlockingTest } from "@effect-blocking/vitest"
import { Data, Effect, Result, Schema, Stream } from "effect"
import { Blocking, JoinSet, Parallel, Task } from "effect-blocking"

const url = import.meta.url

export class Base extends Error {
  readonly _tag: string = "Base"
  base() {
    return 1
  }
}
export class Sub extends Base {
  override readonly _tag = "Sub"
  sub() {
    return 2
  }
}
export class Boom extends Data.TaggedError("Boom")<{ readonly code: number }> {
  shout() {
    return "BOOM"
  }
}
export class Cpu extends Blocking.Pool<Cpu>()("app/Cpu") {}

export const boom = Task.make(url, "boom", (n = 1) => n > 0 ? Result.succeed(n) : Result.fail(new Boom({ code: 1 })))
export const named = Task.make(url, "named", () => Result.fail(new Boom({ code: 1 })), { errors: [Boom] })
export const sub = Task.make(url, "sub", () => Result.fail(new Sub()), { errors: [Base] })
export const bytes = Task.make(url, "bytes", (text: string) => Buffer.from(text))
export const find = Task.schema(url, "find", { payload: Schema.Unknown, success: Schema.Option(Schema.Date) }, () => {
  throw new Error("not here")
})
export const limited = Task.with(boom, { timeLimit: "1 second" })
export const options = boom.options
export const schemas = find.schemas
export const errors = boom.options.errors

export const run = Blocking.run(boom, 1)
export const runSub = Blocking.run(sub)
export const runBytes = Cpu.run(bytes, "text")
export const spawn = Blocking.spawn(boom, 1)
export const detached = Cpu.spawnDetached(boom, 1)
export const lease = Blocking.lease((thread) => thread.run(boom, 1))
export const set = Effect.flatMap(
  JoinSet.make<number, Effect.Error<typeof run>>(),
  (set) => JoinSet.spawn(set, boom, 1)
)
export const predicate = Task.make(url, "predicate", (n: number) => n > 0)
export const step = Task.make(url, "step", (sum: number, n: number) => sum + n)
export const area = Task.make(url, "area", (start: number, end: number, _: Float64Array) => end - start)
export const mapped = Parallel.map(bytes, ["text"])
export const filtered = Parallel.filter(predicate, [1], { pool: Cpu })
export const first = Parallel.find(predicate, [1], { which: "any" })
export const reduced = Parallel.reduce(step, [1], { initial: 0, combine: step })
export const ranged = Parallel.range(area, 9, new Float64Array(9))
export const streamed = Parallel.stream(bytes, Stream.make("text"))
export const stats = Blocking.stats
export const failed = Effect.flip(run)
export const layers = [NodeBlocking.layer(), NodeBlocking.layer({}), NodeBlocking.layerPool(Cpu)] as const
export const pool = NodeBlocking.make("pool", { maxThreads: 1 })
export const calls = BlockingTest.callsOf(boom)
export const held = BlockingTest.hold(boom)

export const move = SqliteTask.make(
  url,
  "move",
  (db, amount: number) => amount > 0 ? Result.succeed(db.isOpen) : Result.fail("nothing" as const)
)
export const moved = Effect.flatMap(SqliteClient.SqliteClient, (sql) => sql.transact(move, 1))
export const batch = Effect.flatMap(
  SqliteClient.SqliteClient,
  (sql) => sql.batch([sql<{ readonly n: number }>`SELECT 1 AS n`])
)
export const databases = [SqliteClient.layer({ filename: "a.db" }), SqliteTest.layer()] as const
export const events = Blocking.events
export const watched = [Watchdog.layer(), Watchdog.stalls, LiveView.layer()] as const

export class Farm extends ClusterPool.Service<Farm>()("app/Farm", { tasks: [find] }) {}
export const farmed = Farm.run(find, 1)
export const submitted = Farm.submit(find, 1, { key: "one" })
export const farms = [
  Farm.layerRunner(),
  Farm.layerRunner({ pool: Cpu }),
  Farm.layerClient(),
  Farm.layerLocal(),
  ClusterStorage.layerSql()
] as const
