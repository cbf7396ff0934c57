/** Interruption (Q4 and Q5), locks of other processes (Q6), and the event loop (Q2). */
import { SqliteClient } from "@effect-blocking/sqlite"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Schedule, type Scope, Stream } from "effect"
import { type SqlClient, SqlError } from "effect/sql"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import * as bodies from "./fixtures/bodies.ts"
import { ids, table } from "./utils/accounts.ts"
import { type Backend, backends, folder, gate, inFile, init, processes, threads } from "./utils/databases.ts"

const nextTurn = Effect.callback<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

/** Waits for one more write, which runs after every write that began before. */
const writerIsFree = Effect.flatMap(SqliteClient.SqliteClient, (sql) => sql`UPDATE account SET balance = balance`)

type Services = SqliteClient.SqliteClient | SqlClient.SqlClient | Scope.Scope

const suite = (backend: Backend): void => {
  const test = <A, E>(name: string, body: Effect.Effect<A, E, Services>, options?: Partial<SqliteClient.Options>) =>
    it.live(name, () => body.pipe(Effect.provide(backend.layer(options)), Effect.scoped) as Effect.Effect<A, E>)

  describe(`SqliteClient on ${backend.name}`, () => {
    test(
      "Q4 a running write is interrupted: its fiber ends at once, and the write is never committed",
      Effect.gen(function*() {
        const sql = yield* table
        const held = yield* gate
        const fiber = yield* Effect.forkChild(
          sql`INSERT INTO account SELECT 'b', hold(${held.args[0]}, ${held.args[1]})`
        )
        yield* held.started
        // The gate is closed: the statement still runs in a thread.
        yield* Fiber.interrupt(fiber)
        yield* held.open
        yield* writerIsFree
        assert.deepStrictEqual(yield* ids, ["a"])
      })
    )

    test(
      "Q4 a write that waits for the writer is interrupted: it never runs",
      Effect.gen(function*() {
        const sql = yield* table
        const held = yield* gate
        const first = yield* Effect.forkChild(
          sql`INSERT INTO account SELECT 'b', hold(${held.args[0]}, ${held.args[1]})`
        )
        yield* held.started
        const second = yield* Effect.forkChild(sql`INSERT INTO account VALUES ('c', 1)`, { startImmediately: true })
        yield* Fiber.interrupt(second)
        yield* held.open
        yield* Fiber.join(first)
        yield* writerIsFree
        assert.deepStrictEqual(yield* ids, ["a", "b"])
      })
    )

    test(
      "Q4 an interrupted batch and an interrupted body are rolled back as a whole",
      Effect.gen(function*() {
        const sql = yield* table
        const writes = (held: readonly [string, string]) => [
          sql.batch([sql`INSERT INTO account VALUES ('b', 1)`, sql`SELECT hold(${held[0]}, ${held[1]})`]),
          sql.transact(bodies.held, ...held)
        ]
        for (const index of [0, 1]) {
          const held = yield* gate
          const fiber = yield* Effect.forkChild(writes(held.args)[index]!)
          yield* held.started
          yield* Fiber.interrupt(fiber)
          yield* held.open
          yield* writerIsFree
          assert.deepStrictEqual(yield* ids, ["a"])
        }
      })
    )

    test(
      "Q4 an interruption at any moment: no write commits after its fiber has ended",
      Effect.gen(function*() {
        const sql = yield* table
        const there = new Set(["a"])
        for (let i = 0; i < (backend.isolation === "process" ? 30 : 150); i++) {
          const id = `w${i}`
          const fiber = yield* Effect.forkChild(sql`INSERT INTO account VALUES (${id}, 1)`, { startImmediately: true })
          // Lets the event loop turn, so that interruptions come before, during and after the commit.
          for (let turn = 0; turn < i % 10; turn++) yield* nextTurn
          yield* Fiber.interrupt(fiber)
          if ((yield* ids).includes(id)) there.add(id)
        }
        yield* writerIsFree
        assert.deepStrictEqual(new Set(yield* ids), there)
      })
    )

    test(
      "Q5 a transaction whose fiber ends while a statement runs is rolled back before the next one begins",
      Effect.gen(function*() {
        const sql = yield* table
        const held = yield* gate
        const fiber = yield* Effect.forkChild(sql.withTransaction(Effect.andThen(
          sql`INSERT INTO account VALUES ('b', 1)`,
          sql`INSERT INTO account SELECT 'c', hold(${held.args[0]}, ${held.args[1]})`
        )))
        yield* held.started
        yield* Fiber.interrupt(fiber)
        yield* held.open
        yield* sql.withTransaction(Effect.map(ids, (ids) => assert.deepStrictEqual(ids, ["a"])))
        assert.deepStrictEqual(yield* ids, ["a"])
      })
    )

    if (backend.isolation === "thread") {
      test(
        "Q4 interrupting one write of a transaction makes it roll back, unless the write is in a savepoint",
        Effect.gen(function*() {
          const sql = yield* table
          const interrupted = Effect.gen(function*() {
            const held = yield* gate
            const fiber = yield* Effect.forkChild(
              sql`INSERT INTO account SELECT 'c', hold(${held.args[0]}, ${held.args[1]})`
            )
            yield* held.started
            yield* Fiber.interrupt(fiber)
            yield* held.open
          })
          const rolledBack = yield* Effect.flip(sql.withTransaction(interrupted))
          assert.match(rolledBack.message, /can only be rolled back/)
          const inside = yield* Effect.flip(sql.withTransaction(Effect.andThen(interrupted, sql`SELECT 1`)))
          assert.match(inside.message, /can only be rolled back/)
          yield* sql.withTransaction(Effect.gen(function*() {
            yield* sql`INSERT INTO account VALUES ('b', 1)`
            yield* Effect.exit(sql.withTransaction(Effect.andThen(interrupted, Effect.interrupt)))
            yield* sql`INSERT INTO account VALUES ('d', 1)`
          }))
          assert.deepStrictEqual(yield* ids, ["a", "b", "d"])
        })
      )

      test(
        "a statement's time limit: a read is stopped, a write is not committed",
        Effect.gen(function*() {
          const sql = yield* table
          const endless = sql`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n LIMIT -1`
          const held = yield* gate
          const write = yield* Effect.flip(sql`INSERT INTO account SELECT 'b', hold(${held.args[0]}, ${held.args[1]})`)
          assert.strictEqual(write.reason._tag, "StatementTimeoutError")
          assert.match(write.message, /statementTimeLimit of 200 ms, in: INSERT/)
          yield* held.open
          const transaction = yield* Effect.flip(sql.withTransaction(endless))
          assert.strictEqual(transaction.reason._tag, "StatementTimeoutError")
          assert.deepStrictEqual(yield* Effect.retry(ids, Schedule.spaced("5 millis")), ["a"])
        }),
        { statementTimeLimit: "200 millis" }
      )
    }

    test(
      "Q5 a read is interrupted in the middle of its rows, and of an aggregate, and the next one runs",
      Effect.gen(function*() {
        const sql = yield* table
        const endless =
          sql`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1e9) SELECT hold.i FROM n AS hold`
        const count =
          sql`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4e6) SELECT count(*) FROM n`
        for (const read of [endless.stream.pipe(Stream.runDrain), count, sql.readTransaction(count)]) {
          const fiber = yield* Effect.forkChild(read)
          yield* untilBusy
          yield* Fiber.interrupt(fiber)
          assert.deepStrictEqual(yield* ids, ["a"])
        }
      })
    )
  })
}

/** Waits until a statement runs in a thread. */
const untilBusy = Effect.flatMap(SqliteClient.SqliteClient, (sql) =>
  Effect.repeat(sql.stats, {
    until: ({ readers, writer }) =>
      writer.running.length + writer.openStreams + (readers?.running.length ?? 0) + (readers?.openStreams ?? 0) > 0,
    schedule: Schedule.spaced("1 millis")
  }))

for (const backend of backends) if (backend.threads) suite(backend)

/** A connection that SQLite treats like one of another program. */
const other = (filename: string) =>
  Effect.acquireRelease(
    Effect.sync(() => new DatabaseSync(filename, { timeout: 0 })),
    (database) => Effect.sync(() => database.close())
  )

const withFile = <A, E>(
  options: Partial<SqliteClient.Options>,
  body: (filename: string) => Effect.Effect<A, E, Services>
) =>
  Effect.flatMap(folder, (folder) => {
    const filename = join(folder, "test.db")
    return Effect.provide(body(filename), SqliteClient.layer({ filename, init, ...options }))
  }).pipe(Effect.scoped)

describe("locks of other processes", () => {
  it.live("Q6 hold no thread while statements, batches and transactions wait", () =>
    withFile({ readers: 1 }, (filename) =>
      Effect.gen(function*() {
        const sql = yield* table
        const database = yield* other(filename)
        const writes = [
          sql`INSERT INTO account VALUES ('b', 1)`,
          sql.batch([sql`INSERT INTO account VALUES ('c', 1)`]),
          sql.withTransaction(sql`INSERT INTO account VALUES ('d', 1)`),
          sql.transact(bodies.panic)
        ]
        for (const write of writes) {
          database.exec("BEGIN IMMEDIATE")
          const fiber = yield* Effect.forkChild(write, { startImmediately: true })
          const tried = (yield* sql.stats).writer.submitted
          yield* Effect.repeat(sql.stats, {
            until: ({ writer }) => writer.submitted > tried + 2,
            schedule: Schedule.spaced("1 millis")
          })
          // Reads go on, and no thread waits.
          assert.include(yield* ids, "a")
          assert.isUndefined(fiber.pollUnsafe())
          database.exec("COMMIT")
          yield* Fiber.await(fiber)
        }
        assert.deepStrictEqual(yield* ids, ["a", "b", "c", "d"])
      })))

  it.live("Q6 make a statement fail after busyTimeout", () =>
    withFile({ readers: 1, busyTimeout: "50 millis" }, (filename) =>
      Effect.gen(function*() {
        const sql = yield* table
        const database = yield* other(filename)
        database.exec("BEGIN IMMEDIATE")
        const error = yield* Effect.flip(sql.withTransaction(sql`SELECT 1`))
        assert.strictEqual(error.reason._tag, "LockTimeoutError")
        assert.match(error.message, /`busyTimeout` has passed.*in: BEGIN IMMEDIATE/)
        database.exec("ROLLBACK")
        yield* sql.withTransaction(sql`SELECT 1`)
      })))

  it.live("Q6 make reads and streams wait too, with a rollback journal", () =>
    withFile({ readers: 1, disableWAL: true }, (filename) =>
      Effect.gen(function*() {
        const sql = yield* table
        const database = yield* other(filename)
        const reads = [ids, Stream.runCollect(sql`SELECT id FROM account`.stream), sql.readTransaction(ids)]
        for (const read of reads) {
          database.exec("BEGIN EXCLUSIVE")
          const fiber = yield* Effect.forkChild(read, { startImmediately: true })
          const tried = (yield* sql.stats).readers!.submitted
          yield* Effect.repeat(sql.stats, {
            until: ({ readers }) => readers!.submitted > tried + 2,
            schedule: Schedule.spaced("1 millis")
          })
          database.exec("COMMIT")
          assert.lengthOf(yield* Fiber.join(fiber), 1)
        }
      })))

  it.live("Q6 make no fiber wait that is interrupted", () =>
    withFile({ readers: 1, busyTimeout: "1 hour" }, (filename) =>
      Effect.gen(function*() {
        const sql = yield* table
        const database = yield* other(filename)
        database.exec("BEGIN IMMEDIATE")
        for (const write of [sql`DELETE FROM account`, sql.withTransaction(sql`DELETE FROM account`)]) {
          const fiber = yield* Effect.forkChild(write, { startImmediately: true })
          const tried = (yield* sql.stats).writer.submitted
          yield* Effect.repeat(sql.stats, {
            until: ({ writer }) => writer.submitted > tried + 1,
            schedule: Schedule.spaced("1 millis")
          })
          yield* Fiber.interrupt(fiber)
        }
        database.exec("ROLLBACK")
        assert.deepStrictEqual(yield* ids, ["a"])
      })))
})

describe("processes", () => {
  it.live("Q4 an interrupted write releases its lock at once, because its process is killed", () =>
    Effect.gen(function*() {
      const sql = yield* table
      const held = yield* gate
      const fiber = yield* Effect.forkChild(sql`INSERT INTO account SELECT 'b', hold(${held.args[0]}, ${held.args[1]})`)
      yield* held.started
      yield* Fiber.interrupt(fiber)
      // The gate stays closed: only the end of the process can have freed the lock.
      yield* writerIsFree
      assert.deepStrictEqual(yield* ids, ["a"])
    }).pipe(Effect.provide(processes.layer()), Effect.scoped))
})

describe("the event loop", () => {
  it.live("Q2 reads go on during a long scan and a long write", () =>
    Effect.gen(function*() {
      const sql = yield* table
      const scan = yield* Effect.forkChild(
        sql`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3e6) SELECT count(*) FROM n`,
        { startImmediately: true }
      )
      const held = yield* gate
      const write = yield* Effect.forkChild(sql`INSERT INTO account SELECT 'b', hold(${held.args[0]}, ${held.args[1]})`)
      yield* held.started
      for (let i = 0; i < 10; i++) assert.deepStrictEqual(yield* ids, ["a"])
      assert.isUndefined(write.pollUnsafe())
      assert.isUndefined(scan.pollUnsafe())
      yield* held.open
      yield* Fiber.join(write)
      assert.deepStrictEqual(yield* ids, ["a", "b"])
    }).pipe(Effect.provide(threads.layer()), Effect.scoped))
})

describe("a thread that is lost", () => {
  it.live("Q8 is a ConnectionError, and the next statement gets a new thread", () =>
    Effect.gen(function*() {
      const sql = yield* table
      const error = yield* Effect.flip(sql.transact(bodies.exits))
      assert.strictEqual(error.reason._tag, "ConnectionError")
      assert.deepStrictEqual(yield* ids, ["a"])
      const inside = yield* Effect.exit(sql.withTransaction(
        Effect.andThen(sql`INSERT INTO account VALUES ('b', 1)`, Effect.ignore(sql.transact(bodies.exits)))
      ))
      assert(Exit.isFailure(inside))
      const failure = inside.cause.reasons.find(Cause.isFailReason)
      assert(SqlError.isSqlError(failure?.error))
      assert.strictEqual(failure.error.reason._tag, "ConnectionError")
      yield* writerIsFree
      assert.deepStrictEqual(yield* ids, ["a"])
    }).pipe(Effect.provide(inFile({ readers: 1 })), Effect.scoped))
})
