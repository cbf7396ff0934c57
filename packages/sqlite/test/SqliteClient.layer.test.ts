/** The life of a database: options, files that do not open, the WAL, backups, reactive tables. */
import { SqliteClient, SqliteMigrator } from "@effect-blocking/sqlite"
import * as SqliteTest from "@effect-blocking/sqlite/SqliteTest"
import { BlockingTest } from "@effect-blocking/vitest"
import { assert, describe, it } from "@effect/vitest"
import {
  Config,
  ConfigProvider,
  Context,
  Effect,
  Exit,
  Fiber,
  Layer,
  Logger,
  Metric,
  Schedule,
  Scope,
  Stream
} from "effect"
import { JoinError } from "effect-blocking"
import { Reactivity } from "effect/reactivity"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { folder, inFile, init } from "./utils/databases.ts"

const openWith = (options: SqliteClient.Options) =>
  Effect.scoped(Effect.provide(SqliteClient.make(options), Reactivity.layer))

const refusal = (options: object) =>
  Effect.map(Effect.flip(openWith(options as SqliteClient.Options)), (error) => error.message)

describe("options", () => {
  it.live("are checked: each error names the option and the expected value", () =>
    Effect.gen(function*() {
      const cases: ReadonlyArray<readonly [object, RegExp]> = [
        [{}, /Option filename of pool "SqliteClient" must be a path, .* or ":memory:", not undefined/],
        [{ filename: "file:a.db" }, /filename .* must be a path/],
        [{ filename: "file:///a.db?mode=ro" }, /filename .* must be a path/],
        [{ filename: "a", readonly: "yes" }, /readonly .* must be true or false/],
        [{ filename: "a", disableWAL: 1 }, /disableWAL .* must be true or false/],
        [{ filename: "a", transformQueryNames: "x" }, /transformQueryNames .* must be a function/],
        [{ filename: "a", spanAttributes: 5 }, /spanAttributes .* must be an object/],
        [{ filename: "" + 1, readers: -1 }, /readers .* must be an integer of at least 0, not -1/],
        [{ filename: "a", readers: 1.5 }, /readers .* not 1\.5/],
        [{ filename: ":memory:", readers: 1 }, /readers .* must be 0 for a database in memory/],
        [{ filename: ":memory:", isolation: "process" }, /isolation .* must be "thread" for a database in memory/],
        [{ filename: "a", isolation: "fork" }, /isolation .* must be "thread" or "process"/],
        [{ filename: "a", busyTimeout: "soon" }, /busyTimeout .* must be a duration/],
        [{ filename: "a", busyTimeout: -1 }, /busyTimeout .* must be a duration/],
        [{ filename: "a", synchronous: "off" }, /synchronous .* must be "normal" or "full"/],
        [{ filename: "a", queueCapacity: -1 }, /queueCapacity .* must be an integer of at least 0/],
        [{ filename: "a", onFull: "drop" }, /onFull .* must be "suspend" or "fail"/],
        [{ filename: "a", init: "./init.ts" }, /init .* must be the url of a module/],
        [{ filename: "a", autoInvalidate: 1 }, /autoInvalidate .* must be true or false/],
        [{ filename: "a", timeout: 1 }, /has no option "timeout": it has .*busyTimeout/]
      ]
      for (const [options, message] of cases) assert.match(yield* refusal(options), message)
    }))

  it.live("can come from Config", () =>
    Effect.gen(function*() {
      const filename = join(yield* folder, "config.db")
      const layer = SqliteClient.layerConfig({ filename: Config.String("FILENAME"), readers: Config.Int("READERS") })
        .pipe(
          Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ FILENAME: filename, READERS: 1 })))
        )
      const rows = yield* Effect.provide(Effect.flatMap(SqlClient.SqlClient, (sql) => sql`SELECT 1 AS n`), layer)
      assert.deepStrictEqual(rows, [{ n: 1 }])
    }).pipe(Effect.scoped))

  it.effect("onFull: with a full queue a statement is refused, with QueueFull as the cause", () =>
    Effect.gen(function*() {
      const sql = yield* SqliteClient.SqliteClient
      yield* BlockingTest.fillQueue(SqliteTest.Writer)
      const { reason } = yield* Effect.flip(sql`SELECT 1`)
      assert.strictEqual(reason._tag, "ConnectionError")
      assert(JoinError.isJoinError(reason.cause) && reason.cause.reason._tag === "QueueFull")
      yield* BlockingTest.drainQueue(SqliteTest.Writer)
      assert.deepStrictEqual(yield* sql`SELECT 1 AS n`, [{ n: 1 }])
    }).pipe(Effect.provide(SqliteTest.layer({ queueCapacity: 1, onFull: "fail" }))))

  it.live("init is called with each connection: of readers, of streams, of the writer", () =>
    Effect.gen(function*() {
      const sql = yield* SqliteClient.SqliteClient
      assert.deepStrictEqual(yield* sql`SELECT double(21) AS n`, [{ n: 42 }])
      assert.deepStrictEqual(yield* Stream.runCollect(sql`SELECT double(21) AS n`.stream), [{ n: 42 }])
      yield* sql`CREATE TABLE t AS SELECT double(4) AS n`
      assert.deepStrictEqual(yield* sql`SELECT n FROM t`, [{ n: 8 }])
    }).pipe(Effect.provide(inFile({ readers: 2 })), Effect.scoped))
})

describe("files", () => {
  it.live("that cannot be opened fail with an error that names the file and says what to do", () =>
    Effect.gen(function*() {
      const path = yield* folder
      writeFileSync(join(path, "text.db"), "this is no database".repeat(100))
      mkdirSync(join(path, "folder.db"))
      const cases: ReadonlyArray<readonly [Partial<SqliteClient.Options> & { filename: string }, RegExp]> = [
        [
          { filename: join(path, "text.db") },
          /text\.db cannot be opened: file is not a database \(the file is not a SQLite/
        ],
        [{ filename: join(path, "folder.db") }, /folder\.db cannot be opened: unable to open.*check the path/],
        [{ filename: join(path, "no", "folder", "a.db") }, /unable to open database file.*check the path/],
        [{ filename: join(path, "none.db"), readonly: true }, /unable to open database file.*check the path/],
        [
          { filename: join(path, "a.db"), init: new URL("./fixtures/badInit.ts", import.meta.url) },
          /the default export of .*badInit\.ts is not a function/
        ],
        [
          { filename: join(path, "b.db"), init: new URL("./fixtures/throwingInit.ts", import.meta.url) },
          /no such extension/
        ],
        [{ filename: join(path, "c.db"), init: new URL("./fixtures/none.ts", import.meta.url) }, /none\.ts/],
        [
          { filename: join(path, "d.db"), init: new URL("./fixtures/asyncInit.ts", import.meta.url) },
          /the default export of .*asyncInit\.ts is async/
        ],
        // An `init` that writes fails on readers, and the layer fails with it.
        [
          { filename: join(path, "e.db"), init: new URL("./fixtures/writingInit.ts", import.meta.url) },
          /attempt to write a readonly database/
        ]
      ]
      for (const [options, message] of cases) {
        const error = yield* Effect.flip(openWith(options))
        assert.strictEqual(error._tag, "SqliteOpenError")
        assert.match(error.message, message)
      }
    }).pipe(Effect.scoped))

  it.live("opened as readonly are read, and refuse writes", () =>
    Effect.gen(function*() {
      const filename = join(yield* folder, "a.db")
      const create = Effect.flatMap(SqlClient.SqlClient, (sql) => sql`CREATE TABLE t AS SELECT 1 AS n`)
      yield* Effect.provide(create, SqliteClient.layer({ filename }))
      chmodSync(filename, 0o444)
      const found = yield* Effect.gen(function*() {
        const sql = yield* SqliteClient.SqliteClient
        const error = yield* Effect.flip(sql`DELETE FROM t`)
        assert.match(error.message, /readonly database \(.* do not allow writes/)
        assert.match((yield* Effect.flip(sql`WITH a AS (SELECT 1) DELETE FROM t`)).message, /readonly/)
        return yield* sql.withTransaction(sql`SELECT n FROM t`)
      }).pipe(Effect.provide(SqliteClient.layer({ filename, readonly: true, readers: 1 })))
      assert.deepStrictEqual(found, [{ n: 1 }])
    }).pipe(Effect.scoped))

  it.live("on a full disk: a SqlError, the statement writes nothing, and the connection stays usable", () =>
    Effect.gen(function*() {
      const sql = yield* SqliteClient.SqliteClient
      yield* sql`CREATE TABLE t (bytes BLOB)`
      yield* sql`PRAGMA max_page_count = 10`
      const error = yield* Effect.flip(sql`INSERT INTO t VALUES (zeroblob(1000000))`)
      assert.match(error.message, /full \(the disk is full/)
      const inside = yield* Effect.flip(sql.withTransaction(Effect.andThen(
        Effect.ignore(sql`INSERT INTO t VALUES (zeroblob(1000000))`),
        sql`INSERT INTO t VALUES (x'00')`
      )))
      assert.match(inside.message, /The transaction ended early/)
      yield* sql`INSERT INTO t VALUES (x'01')`
      assert.deepStrictEqual(yield* sql`SELECT count(*) AS n FROM t`, [{ n: 1 }])
    }).pipe(Effect.provide(inFile({ readers: 1 })), Effect.scoped))

  it.live("with a rollback journal instead of the WAL", () =>
    Effect.gen(function*() {
      const sql = yield* SqliteClient.SqliteClient
      assert.deepStrictEqual(yield* sql`PRAGMA journal_mode`, [{ journal_mode: "delete" }])
      yield* sql`CREATE TABLE t (n)`
      yield* Effect.forEach(Array.from({ length: 50 }), (_, n) =>
        Effect.andThen(sql`INSERT INTO t VALUES (${n})`, sql`SELECT * FROM t`), { concurrency: 10 })
      assert.deepStrictEqual(yield* sql`SELECT count(*) AS n FROM t`, [{ n: 50 }])
    }).pipe(Effect.provide(inFile({ readers: 2, disableWAL: true })), Effect.scoped))

  it.live("are closed with the layer: no thread and no WAL remains", () =>
    Effect.gen(function*() {
      const path = yield* folder
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(
        SqliteClient.layer({ filename: join(path, "a.db"), readers: 2 }),
        scope
      )
      const sql = Context.get(context, SqliteClient.SqliteClient)
      yield* sql`CREATE TABLE t AS SELECT 1 AS n`
      yield* sql`SELECT * FROM t`
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(readdirSync(path), ["a.db"])
      assert.strictEqual((yield* Effect.flip(sql`SELECT 1`)).reason._tag, "ConnectionError")
    }).pipe(Effect.scoped))
})

describe("the WAL", () => {
  it.live("Q7 is emptied when it exceeds its limit, and its size is a metric", () =>
    Effect.gen(function*() {
      const sql = yield* SqliteClient.SqliteClient
      yield* sql`CREATE TABLE t (bytes BLOB)`
      for (let i = 0; i < 30; i++) yield* sql`INSERT INTO t VALUES (zeroblob(100000))`
      yield* Effect.repeat(Effect.all([sql.stats, Metric.snapshot]), {
        until: ([{ walBytes }, metrics]) =>
          walBytes <= 100_000 && metrics.some(({ id }) => id === "effect_blocking_sqlite_wal_bytes"),
        schedule: Schedule.spaced("20 millis")
      })
    }).pipe(Effect.provide(inFile({ readers: 1, journalSizeLimit: 100_000 })), Effect.scoped))

  it.live("Q7 that readers keep from being emptied causes a warning that says what to do", () => {
    const logged: Array<string> = []
    const logger = Logger.layer([Logger.make(({ message }) => void logged.push(String(message)))])
    return Effect.gen(function*() {
      const sql = yield* SqliteClient.SqliteClient
      yield* sql`CREATE TABLE t (bytes BLOB)`
      yield* sql.readTransaction(Effect.gen(function*() {
        yield* sql`SELECT * FROM t`
        const context = yield* Effect.context<never>()
        for (let i = 0; i < 60; i++) {
          yield* Effect.updateContext(
            sql`INSERT INTO t VALUES (zeroblob(100000))`,
            (_: Context.Context<never>) => Context.omit(sql.transactionService)(context) as never
          )
        }
        yield* Effect.repeat(Effect.sync(() => logged), {
          until: (logged) => logged.length > 0,
          schedule: Schedule.spaced("20 millis")
        })
      }))
      assert.match(logged[0]!, /The WAL of .*test\.db holds \d+ MB and cannot be emptied/)
      assert.isTrue((yield* sql.checkpoint("truncate")).complete)
      assert.strictEqual((yield* sql.stats).walBytes, 0)
    }).pipe(Effect.provide(inFile({ readers: 1, journalSizeLimit: 100_000 })), Effect.provide(logger), Effect.scoped)
  })

  it.live("Q7 is emptied even if streams overlap without end", () =>
    Effect.gen(function*() {
      const sql = yield* SqliteClient.SqliteClient
      yield* sql`CREATE TABLE t (bytes BLOB)`
      for (let i = 0; i < 60; i++) yield* sql`INSERT INTO t VALUES (zeroblob(100000))`
      yield* sql.checkpoint("truncate")
      const slow = sql`SELECT bytes FROM t`.stream.pipe(Stream.runForEachArray(() => Effect.sleep("20 millis")))
      const write = Effect.andThen(
        sql`UPDATE t SET bytes = randomblob(100000) WHERE rowid % 10 = 1`,
        Effect.sleep("5 millis")
      )
      // Each stream begins before the previous one has ended.
      const streams = Array.from({ length: 4 }, (_, i) => Effect.delay(Effect.forever(slow), i * 50))
      let most = 0
      yield* Effect.raceFirst(
        Effect.all([...streams, Effect.forever(write)], { concurrency: "unbounded" }),
        Effect.repeat(sql.stats, {
          until: ({ walBytes }) => {
            most = Math.max(most, walBytes)
            // First beyond the size at which new streams wait, then less than half of that.
            return most > 4_000_000 && walBytes < most / 2
          },
          schedule: Schedule.spaced("1 millis")
        })
      )
    }).pipe(Effect.provide(inFile({ readers: 2, journalSizeLimit: 100_000 })), Effect.scoped))

  it.live("Q7 a stream is open no longer than its limit, whether it is read slowly or not at all", () =>
    Effect.gen(function*() {
      const sql = yield* SqliteClient.SqliteClient
      const endless = sql`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n`.stream
      const sum = sql`SELECT count(*) FROM (
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000000) SELECT i FROM n)`
      const computing = yield* Effect.flip(Stream.runDrain(sum.stream))
      assert.strictEqual(computing.reason._tag, "StatementTimeoutError")
      const slow = yield* Effect.flip(Stream.runForEachArray(endless, () => Effect.sleep("20 millis")))
      assert.match(slow.message, /exceeded its streamTimeLimit of 300 ms/)
      const left = yield* Effect.flip(Effect.scoped(Effect.gen(function*() {
        const pull = yield* Stream.toPull(endless)
        yield* pull
        yield* Effect.repeat(sql.stats, {
          until: ({ readers }) => readers!.openStreams === 0,
          schedule: Schedule.spaced("5 millis")
        })
        return yield* Effect.forever(pull)
      })))
      assert.strictEqual((left as { readonly _tag: string })._tag, "SqlError")
    }).pipe(Effect.provide(inFile({ readers: 1, streamTimeLimit: "300 millis" })), Effect.scoped))
})

describe("large results", () => {
  const rows = (sql: SqlClient.SqlClient, count: number) =>
    sql`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count}) SELECT i FROM n`

  it.live("Q7 are read as a stream: the first time after a first try, then at once", () =>
    Effect.gen(function*() {
      const sql = yield* SqliteClient.SqliteClient
      const submitted = Effect.map(sql.stats, ({ readers }) => readers!.submitted)
      const trips = Effect.fnUntraced(function*(count: number) {
        const before = yield* submitted
        assert.lengthOf(yield* rows(sql, count), count)
        return (yield* submitted) - before
      })
      assert.deepStrictEqual([yield* trips(1000), yield* trips(5000), yield* trips(5000)], [1, 2, 1])
    }).pipe(Effect.provide(inFile({ readers: 1 })), Effect.scoped))

  it.live("Q7 of a statement that returned few rows before are complete", () =>
    Effect.gen(function*() {
      const sql = yield* SqliteClient.SqliteClient
      for (const count of [3, 3000, 3, 3000]) {
        const found = yield* Effect.all(
          [0, 1, 2, 3].map(() => rows(sql, count)),
          { concurrency: 4 }
        )
        for (const some of found) assert.lengthOf(some, count)
      }
    }).pipe(Effect.provide(inFile({ readers: 2 })), Effect.scoped))

  it.effect("Q7 of the writer come in chunks of 1024 rows", () =>
    Effect.gen(function*() {
      const sql = yield* SqliteClient.SqliteClient
      yield* sql`CREATE TABLE t (n)`
      const insert = sql`INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
        SELECT i FROM n RETURNING n`
      assert.lengthOf(yield* insert, 5000)
      assert.lengthOf(yield* sql.withTransaction(sql`SELECT * FROM t`), 5000)
      const calls = yield* BlockingTest.calls
      assert.lengthOf(calls.filter(({ task }) => task === "more"), 8)
    }).pipe(Effect.provide(SqliteTest.layer())))
})

describe("backups", () => {
  it.live("are complete, replace an existing file, and leave no file behind when they fail", () =>
    Effect.gen(function*() {
      const path = yield* folder
      const sql = yield* SqliteClient.SqliteClient
      yield* sql`CREATE TABLE t AS SELECT 1 AS n`
      const copy = join(path, "copy.db")
      writeFileSync(copy, "old")
      yield* sql.backup(copy)
      const database = new DatabaseSync(copy)
      assert.deepStrictEqual(database.prepare("SELECT n FROM t").all().map((row) => ({ ...row })), [{ n: 1 }])
      database.close()
      // SQLite would apply the log of the replaced file to the copy.
      writeFileSync(`${copy}-wal`, "old")
      yield* sql.backup(copy)
      assert.isFalse(existsSync(`${copy}-wal`))
      const [{ file }] = (yield* sql`PRAGMA database_list`) as unknown as [{ readonly file: string }]
      assert.match((yield* Effect.flip(sql.backup(file))).message, /it is the database itself/)
      assert.match(
        (yield* Effect.flip(sql.withTransaction(sql.backup(copy)))).message,
        /sql\.backup cannot run in a transaction/
      )
      mkdirSync(join(path, "full"))
      writeFileSync(join(path, "full", "file"), "")
      const error = yield* Effect.flip(sql.backup(join(path, "full")))
      assert.match(error.message, /The backup to .*full failed/)
      assert.match((yield* Effect.flip(sql.backup(join(path, "no", "copy.db")))).message, /unable to open/)
      assert.deepStrictEqual(readdirSync(path).sort(), ["copy.db", "full"])
    }).pipe(Effect.provide(inFile({ readers: 1 })), Effect.scoped))
})

describe("autoInvalidate", () => {
  it.live("invalidates each written table after the commit, also those that triggers write", () =>
    Effect.gen(function*() {
      const sql = yield* SqliteClient.SqliteClient
      yield* sql`CREATE TABLE a (n)`
      yield* sql`CREATE TABLE log (n)`
      yield* sql`CREATE TRIGGER logged AFTER INSERT ON a BEGIN INSERT INTO log VALUES (new.n); END`
      const count = Effect.map(sql<{ readonly n: number }>`SELECT count(*) AS n FROM log`, ([row]) => row!.n)
      const seen: Array<number> = []
      yield* sql.reactive(["log"], count).pipe(
        Stream.tap((n) => {
          seen.push(n)
          if (n === 0) return Effect.asVoid(sql`INSERT INTO a VALUES (1)`)
          if (n === 1) {
            return Effect.andThen(
              Effect.ignore(sql.withTransaction(Effect.andThen(sql`INSERT INTO a VALUES (0)`, Effect.fail("no")))),
              Effect.asVoid(sql.withTransaction(sql`INSERT INTO a VALUES (2)`))
            )
          }
          return n === 2 ? Effect.asVoid(sql.batch([sql`INSERT INTO a VALUES (3)`])) : Effect.void
        }),
        Stream.takeUntil((n) => n === 3),
        Stream.runDrain
      )
      assert.deepStrictEqual(seen, [0, 1, 2, 3])
      // A trigger that was created after the statement invalidates at each run of it.
      const insert = sql`INSERT INTO b VALUES (1)`
      yield* sql`CREATE TABLE b (n)`
      yield* insert
      yield* sql`CREATE TRIGGER logged2 AFTER INSERT ON b BEGIN INSERT INTO log VALUES (new.n); END`
      const later: Array<number> = []
      yield* sql.reactive(["log"], count).pipe(
        Stream.tap((n) => {
          later.push(n)
          return Effect.asVoid(insert)
        }),
        Stream.takeUntil((n) => n === 6),
        Stream.runDrain
      )
      assert.deepStrictEqual(later, [3, 4, 5, 6])
    }).pipe(
      Effect.provide(inFile({ readers: 1, autoInvalidate: true })),
      Effect.scoped,
      Effect.timeoutOrElse({ duration: "30 seconds", orElse: () => Effect.die("a table was not invalidated") })
    ))
})

describe("SqliteMigrator", () => {
  it.live("Q1 runs each migration once, in order, even if two programs start together", () =>
    Effect.gen(function*() {
      const filename = join(yield* folder, "a.db")
      const migrate = SqliteMigrator.run({
        loader: SqliteMigrator.fromRecord({
          "0002_email": Effect.flatMap(SqlClient.SqlClient, (sql) => sql`ALTER TABLE user ADD COLUMN email TEXT`),
          "0001_users": Effect.flatMap(SqlClient.SqlClient, (sql) => sql`CREATE TABLE user (name TEXT)`)
        })
      })
      const program = Effect.provide(migrate, SqliteClient.layer({ filename, readers: 1 }))
      assert.deepStrictEqual(yield* program, [[1, "users"], [2, "email"]])
      assert.deepStrictEqual(yield* program, [])
      const other = join(yield* folder, "b.db")
      const both = yield* Effect.all(
        [0, 1].map(() => Effect.exit(Effect.provide(migrate, SqliteClient.layer({ filename: other, readers: 1 })))),
        { concurrency: 2 }
      )
      assert.isTrue(both.some(Exit.isSuccess))
      assert.isTrue(existsSync(other) && statSync(other).size > 0)
    }).pipe(Effect.scoped))
})

describe("SqliteTest", () => {
  it.effect("Q10 waits for locks follow the test clock", () =>
    Effect.gen(function*() {
      const filename = join(yield* folder, "a.db")
      const database = new DatabaseSync(filename)
      yield* Effect.addFinalizer(() => Effect.sync(() => database.close()))
      yield* Effect.gen(function*() {
        const sql = yield* SqliteClient.SqliteClient
        yield* sql`CREATE TABLE t (n)`
        database.exec("BEGIN IMMEDIATE")
        const fiber = yield* Effect.forkChild(Effect.flip(sql`INSERT INTO t VALUES (1)`))
        yield* TestClock.adjust("9 seconds")
        assert.isUndefined(fiber.pollUnsafe())
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual((yield* Fiber.join(fiber)).reason._tag, "LockTimeoutError")
        database.exec("COMMIT")
      }).pipe(Effect.provide(SqliteTest.layer({ filename, readers: 1, busyTimeout: "10 seconds" })))
    }).pipe(Effect.scoped))

  it.effect("Q10 its pools can be filled and closed, and each layer has its own database", () =>
    Effect.gen(function*() {
      const sql = yield* SqliteClient.SqliteClient
      yield* sql`CREATE TABLE t (n)`
      const none = yield* Effect.flip(
        Effect.provide(Effect.flatMap(SqliteClient.SqliteClient, (sql) => sql`SELECT * FROM t`), SqliteTest.layer(), {
          local: true
        })
      )
      assert.match(none.message, /no such table/)
      yield* BlockingTest.fillQueue(SqliteTest.Writer)
      const waiting = yield* Effect.forkChild(sql`INSERT INTO t VALUES (1)`, { startImmediately: true })
      assert.isUndefined(waiting.pollUnsafe())
      yield* BlockingTest.drainQueue(SqliteTest.Writer)
      yield* Fiber.join(waiting)
      yield* BlockingTest.close(SqliteTest.Writer)
      assert.strictEqual((yield* Effect.flip(sql`SELECT 1`)).reason._tag, "ConnectionError")
    }).pipe(Effect.provide(SqliteTest.layer({ init }))))
})
