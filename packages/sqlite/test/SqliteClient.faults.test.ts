/** Faults found by programs that were written to break the client. */
import { SqliteClient } from "@effect-blocking/sqlite"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Schedule, type Scope, Stream } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import * as bodies from "./fixtures/bodies.ts"
import { ids, table } from "./utils/accounts.ts"
import { type Backend, backends, gate, inFile } from "./utils/databases.ts"

type Services = SqliteClient.SqliteClient | SqlClient.SqlClient | Scope.Scope

const numbers = (sql: SqlClient.SqlClient, to: number) =>
  sql`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${to}) SELECT i FROM n`

const suite = (backend: Backend): void => {
  const test = <A, E>(name: string, body: Effect.Effect<A, E, Services>, options?: Partial<SqliteClient.Options>) =>
    it.live(name, () => body.pipe(Effect.provide(backend.layer(options)), Effect.scoped) as Effect.Effect<A, E>)

  describe(`SqliteClient on ${backend.name}`, () => {
    test(
      "Q1 a write that returns few rows and then many runs once",
      Effect.gen(function*() {
        const sql = yield* table
        yield* sql`CREATE TABLE t (n)`
        const insert = (count: number) =>
          sql`INSERT INTO t SELECT value FROM json_each(${
            JSON.stringify(Array.from({ length: count }, () => 1))
          }) RETURNING n`
        yield* insert(3)
        assert.lengthOf(yield* insert(2000), 2000)
        yield* insert(3)
        assert.lengthOf(yield* sql.withTransaction(insert(2000)), 2000)
        assert.deepStrictEqual(yield* sql`SELECT count(*) FROM t`.values, [[4006]])
      })
    )

    test(
      "Q4 a write that is interrupted while its rows are fetched makes its transaction roll back",
      Effect.gen(function*() {
        const sql = yield* table
        yield* sql`CREATE TABLE t (n)`
        const insert = sql`INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
          SELECT i FROM n RETURNING n`
        for (let turns = 0; turns < 12; turns += 3) {
          const succeeded = yield* Deferred.make<boolean>()
          const exit = yield* Effect.exit(sql.withTransaction(Effect.gen(function*() {
            const fiber = yield* Effect.forkChild(insert, { startImmediately: true })
            for (let turn = 0; turn < turns; turn++) {
              yield* Effect.callback<void>((resume) => void setImmediate(() => resume(Effect.void)))
            }
            yield* Fiber.interrupt(fiber)
            const exit = yield* Fiber.await(fiber)
            yield* Deferred.succeed(succeeded, exit._tag === "Success")
          })))
          const rows = (yield* sql`SELECT count(*) AS n FROM t`)[0]!.n
          if (!(yield* Deferred.await(succeeded))) assert.deepStrictEqual([exit._tag, rows], ["Failure", 0])
          yield* sql`DELETE FROM t`
        }
      })
    )

    test(
      "Q4 a result that transact cannot send: either the transaction is refused, or the error says that it is committed",
      Effect.gen(function*() {
        const sql = yield* table
        const asynchronous = yield* Effect.flip(sql.transact(bodies.asynchronous))
        assert.match(asynchronous.message, /returned a promise/)
        const unsendable = yield* Effect.flip(sql.transact(bodies.unsendable))
        assert.match(unsendable.message, /The write is committed, but its result is lost/)
        assert.deepStrictEqual(yield* ids, ["a", "unsendable"])
        const inside = yield* Effect.flip(sql.withTransaction(sql.transact(bodies.unsendable)))
        assert.notMatch(inside.message, /is committed/)
      })
    )

    test(
      "a body that leaves a statement open, or closes the connection, fails with the reason, and the next one runs",
      Effect.gen(function*() {
        const sql = yield* table
        const open = yield* Effect.flip(sql.transact(bodies.leavesOpen))
        assert.match(open.message, /a body left a statement open/)
        assert.deepStrictEqual(yield* ids, ["a"])
        if (backend.memory) return
        const closed = yield* Effect.flip(sql.transact(bodies.closes))
        assert.match(closed.message, /closed its connection/)
        yield* sql`INSERT INTO account VALUES ('b', 1)`
        assert.deepStrictEqual(yield* ids, ["a", "b"])
      })
    )

    test(
      "batch: COMMIT and the like are refused before any statement runs; SafeIntegers applies",
      Effect.gen(function*() {
        const sql = yield* table
        for (const control of [sql`COMMIT`, sql`ROLLBACK`, sql`BEGIN`, sql` /* x */ END`, sql`SAVEPOINT a`]) {
          const error = yield* Effect.flip(sql.batch([sql`INSERT INTO account VALUES ('b', 1)`, control]))
          assert.match(error.message, /A batch is one transaction/)
        }
        assert.deepStrictEqual(yield* ids, ["a"])
        const big = sql.batch([sql`SELECT 9007199254740993 AS n`])
        assert.deepStrictEqual(yield* Effect.provideService(big, SqlClient.SafeIntegers, true), [[{
          n: 9007199254740993n
        }]])
      })
    )

    test(
      "a call that would wait for the connection of its own transaction is refused",
      Effect.gen(function*() {
        const sql = yield* table
        for (const inside of [sql.withTransaction, sql.readTransaction]) {
          assert.match(
            (yield* Effect.flip(inside(sql.checkpoint()))).message,
            /sql\.checkpoint cannot run in a transaction/
          )
        }
      })
    )

    test(
      "readTransaction refuses writes, also with one connection, and the next user can write",
      Effect.gen(function*() {
        const sql = yield* table
        const error = yield* Effect.flip(sql.readTransaction(sql`INSERT INTO account VALUES ('b', 1)`))
        assert.match(error.message, /readonly database/)
        yield* sql`INSERT INTO account VALUES ('c', 1)`
        assert.deepStrictEqual(yield* ids, ["a", "c"])
      })
    )

    test(
      "a WITH that writes: as a stream, and with a function named replace",
      Effect.gen(function*() {
        const sql = yield* table
        const insert = sql`WITH new AS (SELECT 'b' AS id) INSERT INTO account SELECT id, 1 FROM new RETURNING id`
        assert.deepStrictEqual(yield* Stream.runCollect(insert.stream), [{ id: "b" }])
        assert.deepStrictEqual(yield* sql`WITH x AS (SELECT 'abc' AS t) SELECT replace(t, 'b', 'x') AS t FROM x`, [{
          t: "axc"
        }])
      })
    )
  })
}

for (const backend of backends) suite(backend)

/** Interruptions that must not cost a database or a transaction. */
const kept = (backend: Backend): void => {
  const aggregate = (sql: SqlClient.SqlClient) =>
    sql`SELECT count(*) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000000) SELECT i FROM n)`

  const untilItRuns = (sql: SqliteClient.SqliteClient) =>
    Effect.repeat(sql.stats, {
      until: ({ readers, writer }) => writer.running.length + (readers?.running.length ?? 0) > 0,
      schedule: Schedule.spaced("1 millis")
    })

  it.live(`Q5 a stream that is interrupted inside SQLite loses neither its transaction nor its database (${backend.name})`, () =>
    Effect.gen(function*() {
      const sql = yield* table
      yield* sql.withTransaction(Effect.gen(function*() {
        yield* sql`INSERT INTO account VALUES ('b', 1)`
        const fiber = yield* Effect.forkChild(Stream.runDrain(aggregate(sql).stream))
        yield* untilItRuns(sql)
        yield* Fiber.interrupt(fiber)
      }))
      if (backend.memory) {
        const fiber = yield* Effect.forkChild(Stream.runDrain(aggregate(sql).stream))
        yield* untilItRuns(sql)
        yield* Fiber.interrupt(fiber)
      }
      assert.deepStrictEqual(yield* ids, ["a", "b"])
    }).pipe(Effect.provide(backend.layer()), Effect.scoped))
}

for (const backend of backends) if (backend.threads && backend.isolation === "thread") kept(backend)

describe("threads that are stuck", () => {
  it.live("Q5 make the next read wait, and not fail", () =>
    Effect.gen(function*() {
      const sql = yield* table
      for (let i = 0; i < 4; i++) {
        const fiber = yield* Effect.forkChild(
          sql`SELECT count(*) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000000) SELECT i FROM n)`
        )
        yield* Effect.repeat(sql.stats, {
          until: ({ readers }) => readers!.running.length > readers!.stuckThreads,
          schedule: Schedule.spaced("1 millis")
        })
        yield* Fiber.interrupt(fiber)
      }
      assert.deepStrictEqual(yield* ids, ["a"])
    }).pipe(Effect.provide(inFile({ readers: 1, busyTimeout: "1 minute" })), Effect.scoped))
})

describe("savepoints", () => {
  it.live("Q4 a read that is interrupted while it waits for a savepoint leaves the transaction intact", () =>
    Effect.gen(function*() {
      const sql = yield* table
      yield* sql.withTransaction(Effect.gen(function*() {
        yield* sql`INSERT INTO account VALUES ('b', 1)`
        const held = yield* gate
        const nested = yield* Effect.forkChild(
          sql.withTransaction(sql`INSERT INTO account SELECT 'c', hold(${held.args[0]}, ${held.args[1]})`)
        )
        yield* held.started
        yield* Fiber.interrupt(nested)
        const read = yield* Effect.forkChild(ids, { startImmediately: true })
        yield* Fiber.interrupt(read)
        yield* held.open
        assert.deepStrictEqual(yield* ids, ["a", "b"])
      }))
      assert.deepStrictEqual(yield* ids, ["a", "b"])
    }).pipe(Effect.provide(inFile({ readers: 1 })), Effect.scoped))
})

describe("large rows", () => {
  it.live("Q7 are counted by their size: a few fill a message", () =>
    Effect.gen(function*() {
      const sql = yield* SqliteClient.SqliteClient
      const trips = Effect.fnUntraced(function*(read: Effect.Effect<ReadonlyArray<unknown>, SqlError.SqlError>) {
        const before = (yield* sql.stats).readers!.submitted
        const rows = yield* read
        return [rows.length, (yield* sql.stats).readers!.submitted - before]
      })
      const wide = sql`SELECT zeroblob(100000) AS bytes FROM (${numbers(sql, 10)})`
      assert.deepStrictEqual(yield* trips(wide), [10, 2])
      assert.deepStrictEqual(yield* trips(wide), [10, 1])
      const small = sql`SELECT zeroblob(10) AS bytes FROM (${numbers(sql, 10)})`
      assert.deepStrictEqual(yield* trips(small), [10, 1])
    }).pipe(Effect.provide(inFile({ readers: 1 })), Effect.scoped))
})
