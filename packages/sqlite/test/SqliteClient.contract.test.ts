/** The behaviour that all kinds of database share: Q1, Q3, Q7, Q8. */
import { SqliteClient } from "@effect-blocking/sqlite"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Stream } from "effect"
import { Reactivity } from "effect/reactivity"
import { SqlClient, type SqlError } from "effect/sql"
import * as bodies from "./fixtures/bodies.ts"
import { type Backend, backends } from "./utils/databases.ts"

const sqlOf = SqliteClient.SqliteClient

const many = (sql: SqlClient.SqlClient, rows: number) =>
  sql<{ readonly i: number; readonly t: string }>`
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows}) SELECT i, 'x' || i AS t FROM n`

const accounts = Effect.gen(function*() {
  const sql = yield* sqlOf
  yield* sql`CREATE TABLE account (id TEXT PRIMARY KEY, balance INTEGER NOT NULL) STRICT`
  yield* sql`INSERT INTO account ${sql.insert([{ id: "a", balance: 10 }, { id: "b", balance: 0 }])}`
  return sql
})

const balances = Effect.flatMap(sqlOf, (sql) =>
  Effect.map(
    sql<{ readonly id: string; readonly balance: number }>`SELECT id, balance FROM account ORDER BY id`,
    (rows) => rows.map(({ balance, id }) => `${id} ${balance}`).join(", ")
  ))

const contract = (backend: Backend): void => {
  const test = <A, E>(
    name: string,
    body: Effect.Effect<A, E, SqliteClient.SqliteClient | SqlClient.SqlClient>,
    options?: Partial<SqliteClient.Options>
  ) => it.live(name, () => body.pipe(Effect.provide(backend.layer(options)), Effect.scoped) as Effect.Effect<A, E>)

  describe(`SqliteClient on ${backend.name}`, () => {
    test(
      "Q1 statements: rows, values, raw, without transform, unprepared, with one row and without rows",
      Effect.gen(function*() {
        const sql = yield* accounts
        assert.deepStrictEqual(yield* sql`SELECT * FROM account WHERE id = ${"a"}`, [{ id: "a", balance: 10 }])
        assert.deepStrictEqual(yield* sql`SELECT * FROM account ORDER BY id`.values, [["a", 10], ["b", 0]])
        assert.deepStrictEqual(yield* sql`SELECT * FROM account WHERE id = 'a'`.unprepared, [{ id: "a", balance: 10 }])
        assert.deepStrictEqual(yield* sql`SELECT 1 AS n`.valuesUnprepared, [[1]])
        assert.deepStrictEqual(yield* sql`SELECT 1 AS n`.raw, [{ n: 1 }])
        assert.deepInclude(yield* sql`UPDATE account SET balance = 11 WHERE id = 'a'`.raw, { changes: 1 })
        assert.deepStrictEqual(yield* sql`SELECT * FROM account WHERE id = 'z'`, [])
        assert.deepStrictEqual(yield* sql`INSERT INTO account VALUES ('c', 1)`, [])
        assert.deepStrictEqual(yield* sql`DELETE FROM account WHERE id = 'c' RETURNING balance`, [{ balance: 1 }])
      })
    )

    test(
      "Q1 values of each kind, run repeatedly: null, bigint, text, bytes, booleans, odd column names",
      Effect.gen(function*() {
        const sql = yield* sqlOf
        const bytes = new Uint8Array([0, 1, 255])
        const select =
          sql`SELECT ${null} AS n, ${1.5} AS r, ${"ä\u0000b"} AS t, ${bytes} AS b, ${true} AS y, ${false} AS f, ${7n} AS g`
        for (let i = 0; i < 3; i++) {
          const [row] = yield* select
          assert.deepStrictEqual(row, { n: null, r: 1.5, t: "ä\u0000b", b: bytes, y: 1, f: 0, g: 7 })
        }
        for (let i = 0; i < 2; i++) {
          const [odd] = yield* sql`SELECT 1 AS "__proto__", 2 AS "constructor", 3 AS "a b", 4 AS "1"`
          assert.deepStrictEqual(Object.entries(odd!).sort(), [["1", 4], ["__proto__", 1], ["a b", 3], [
            "constructor",
            2
          ]])
        }
        const big = sql`SELECT 9007199254740993 AS n`
        assert.deepStrictEqual(yield* Effect.provideService(big, SqlClient.SafeIntegers, true), [{
          n: 9007199254740993n
        }])
        const refused = yield* Effect.flip(big)
        assert.match(refused.message, /too large/)
      })
    )

    test(
      "Q1 transactions: commit, rollback, savepoints",
      Effect.gen(function*() {
        const sql = yield* accounts
        yield* sql.withTransaction(sql`UPDATE account SET balance = 9 WHERE id = 'a'`)
        const failed = yield* Effect.flip(
          sql.withTransaction(
            Effect.andThen(sql`UPDATE account SET balance = 8 WHERE id = 'a'`, Effect.fail("no" as const))
          )
        )
        assert.strictEqual(failed, "no")
        assert.strictEqual(yield* balances, "a 9, b 0")
        yield* sql.withTransaction(Effect.gen(function*() {
          yield* sql`UPDATE account SET balance = 1 WHERE id = 'b'`
          const nested = sql.withTransaction(
            Effect.andThen(sql`UPDATE account SET balance = 2 WHERE id = 'b'`, Effect.fail("nested" as const))
          )
          assert.strictEqual(yield* Effect.flip(nested), "nested")
          assert.strictEqual(yield* balances, "a 9, b 1")
          yield* sql.withTransaction(sql`UPDATE account SET balance = 3 WHERE id = 'a'`)
        }))
        assert.strictEqual(yield* balances, "a 3, b 1")
      })
    )

    test(
      "Q1 BEGIN outside withTransaction is rolled back and refused, and the connection stays usable",
      Effect.gen(function*() {
        const sql = yield* accounts
        assert.match((yield* Effect.flip(sql`BEGIN`)).message, /sql\.withTransaction/)
        yield* sql`UPDATE account SET balance = 5 WHERE id = 'a'`
        assert.strictEqual(yield* balances, "a 5, b 0")
      })
    )

    test(
      "Q1 a transaction that SQLite ended runs no further statement, and fails",
      Effect.gen(function*() {
        const sql = yield* accounts
        const error = yield* Effect.flip(sql.withTransaction(Effect.gen(function*() {
          yield* sql`UPDATE account SET balance = 1 WHERE id = 'b'`
          yield* Effect.ignore(sql`INSERT OR ROLLBACK INTO account VALUES ('a', 1)`)
          yield* sql`UPDATE account SET balance = 7 WHERE id = 'a'`
        })))
        assert.match(error.message, /The transaction ended early/)
        assert.strictEqual(yield* balances, "a 10, b 0")
      })
    )

    test(
      "Q1 a commit that fails is rolled back",
      Effect.gen(function*() {
        const sql = yield* sqlOf
        yield* sql`CREATE TABLE parent (id INTEGER PRIMARY KEY)`
        yield* sql`CREATE TABLE child (id INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED)`
        const error = yield* Effect.flip(sql.withTransaction(sql`INSERT INTO child VALUES (1)`))
        assert.strictEqual(error.reason._tag, "ConstraintError")
        assert.deepStrictEqual(yield* sql`SELECT * FROM child`, [])
        yield* sql.withTransaction(sql`INSERT INTO parent VALUES (1)`)
      })
    )

    test(
      "Q1 reserve holds a connection, and rolls back a transaction that is left open",
      Effect.gen(function*() {
        const sql = yield* accounts
        yield* Effect.scoped(Effect.gen(function*() {
          const connection = yield* sql.reserve
          yield* connection.executeUnprepared("BEGIN", [], undefined)
          yield* connection.execute("UPDATE account SET balance = ? WHERE id = ?", [1, "a"], undefined)
        }))
        assert.strictEqual(yield* balances, "a 10, b 0")
      })
    )

    test(
      "Q1 reactive queries: a mutation inside a transaction takes effect after its commit",
      Effect.gen(function*() {
        const sql = yield* accounts
        const change = Effect.asVoid(sql.withTransaction(
          Reactivity.mutation(sql`UPDATE account SET balance = 4 WHERE id = 'a'`, ["account"])
        ))
        const seen = yield* Stream.runCollect(
          sql.reactive(["account"], balances).pipe(
            Stream.tap((now) => now.startsWith("a 10") ? change : Effect.void),
            Stream.takeUntil((now) => now.startsWith("a 4"))
          )
        ).pipe(Effect.provide(Reactivity.layer))
        assert.include(seen, "a 10, b 0")
      }).pipe(Effect.timeoutOrElse({ duration: "20 seconds", orElse: () => Effect.die("the query did not run again") }))
    )

    test(
      "Q1 names are transformed in queries and in results, also in batches",
      Effect.gen(function*() {
        const sql = yield* sqlOf
        yield* sql`CREATE TABLE person (first_name TEXT)`
        yield* sql`INSERT INTO person ${sql.insert({ firstName: "Ada" })}`
        const select = sql<{ readonly firstName: string }>`SELECT first_name FROM person`
        assert.deepStrictEqual(yield* select, [{ firstName: "Ada" }])
        assert.deepStrictEqual(yield* Stream.runCollect(select.stream), [{ firstName: "Ada" }])
        assert.deepStrictEqual(yield* sql.batch([select]), [[{ firstName: "Ada" }]])
        assert.deepStrictEqual(yield* select.withoutTransform, [{ first_name: "Ada" }] as never)
      }),
      {
        transformQueryNames: (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
        transformResultNames: (name) => name.replace(/_./g, (text) => text[1]!.toUpperCase())
      }
    )

    test(
      "Q3 each read sees the write before it, a thousand times",
      Effect.gen(function*() {
        const sql = yield* accounts
        for (let i = 1; i <= (backend.isolation === "process" ? 300 : 1000); i++) {
          yield* sql`UPDATE account SET balance = ${i} WHERE id = 'a'`
          assert.deepStrictEqual(yield* sql`SELECT balance FROM account WHERE id = 'a'`.values, [[i]])
        }
      })
    )

    test(
      "Q3 a WITH that writes, and functions about the last write, run on the writer",
      Effect.gen(function*() {
        const sql = yield* accounts
        const insert = sql`WITH new AS (SELECT 'c' AS id) INSERT INTO account SELECT id, 1 FROM new RETURNING id`
        assert.deepStrictEqual(yield* insert, [{ id: "c" }])
        yield* sql`DELETE FROM account WHERE id = 'c'`
        assert.deepStrictEqual(yield* insert, [{ id: "c" }])
        assert.deepStrictEqual(yield* sql`SELECT changes() AS n`, [{ n: 1 }])
        assert.deepStrictEqual(
          yield* sql`/* first */ -- second
          (SELECT 1 AS n)`.pipe(Effect.option, Effect.map((rows) => rows._tag)),
          "None"
        )
        assert.deepStrictEqual(
          yield* sql`  -- a comment
          SELECT 1 AS n`,
          [{ n: 1 }]
        )
      })
    )

    test(
      "Q7 a hundred thousand rows: as objects, as values, as a stream, in a transaction, from a write",
      Effect.gen(function*() {
        const sql = yield* sqlOf
        const rows = backend.isolation === "process" ? 20_000 : 100_000
        const last = { i: rows, t: `x${rows}` }
        const check = (found: ReadonlyArray<unknown>) =>
          assert.deepStrictEqual([found.length, found.at(-1)], [rows, last])
        check(yield* many(sql, rows))
        check(yield* many(sql, rows))
        check(yield* Stream.runCollect(many(sql, rows).stream))
        assert.deepStrictEqual((yield* many(sql, rows).values).at(-1), [rows, `x${rows}`])
        yield* sql.withTransaction(Effect.gen(function*() {
          yield* sql`CREATE TABLE big AS SELECT 0 AS i, '' AS t WHERE false`
          check(yield* many(sql, rows))
          check(yield* Stream.runCollect(many(sql, rows).stream))
        }))
        const back =
          yield* sql`INSERT INTO big WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
          SELECT i, 'x' || i FROM n RETURNING i, t`
        check(back)
      })
    )

    test(
      "Q7 a stream continues while its consumer writes: other reads see the writes, the stream does not",
      Effect.gen(function*() {
        const sql = yield* sqlOf
        const rows = 20_000
        yield* sql`CREATE TABLE number (i INTEGER)`
        yield* sql`INSERT INTO number WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows}) SELECT i FROM n`
        const count = sql`SELECT count(*) AS n FROM number`.values
        let written = 0
        const write = Effect.gen(function*() {
          yield* sql`INSERT INTO number VALUES (${rows + ++written})`
          assert.deepStrictEqual(yield* count, [[rows + written]])
        })
        const seen = yield* sql<{ readonly i: number }>`SELECT i FROM number ORDER BY i`.stream.pipe(
          Stream.tap(({ i }) => i % 2000 === 1 ? write : Effect.void),
          Stream.runCollect
        )
        assert.deepStrictEqual(seen.map(({ i }) => i), Array.from({ length: rows }, (_, i) => i + 1))
        assert.strictEqual(written, 10)
      })
    )

    test(
      "Q7 streams that are not read to the end are closed, also in a transaction, and their connection is usable",
      Effect.gen(function*() {
        const sql = yield* sqlOf
        for (let i = 0; i < 20; i++) {
          assert.lengthOf(yield* many(sql, 100_000).stream.pipe(Stream.take(3), Stream.runCollect), 3)
        }
        yield* sql.withTransaction(Effect.gen(function*() {
          assert.lengthOf(yield* many(sql, 100_000).stream.pipe(Stream.take(3), Stream.runCollect), 3)
          yield* sql`CREATE TABLE done (i)`
        }))
        const { readers, writer } = yield* sql.stats
        assert.strictEqual(writer.openStreams + (readers?.openStreams ?? 0), 0)
      })
    )

    test(
      "Q8 errors name their statement and say what to do, and the connection is usable afterwards",
      Effect.gen(function*() {
        const sql = yield* accounts
        const cases: ReadonlyArray<readonly [Effect.Effect<unknown, SqlError.SqlError>, string, RegExp]> = [
          [sql`SELECT nope FROM account`, "UnknownError", /no such column: nope.*in: SELECT nope/],
          [sql`SELEC 1`, "UnknownError", /syntax error.*in: SELEC 1/],
          [sql`INSERT INTO account VALUES ('a', 1)`, "ConstraintError", /UNIQUE.*account\.id.*in: INSERT/],
          [sql`INSERT INTO account VALUES ('d', NULL)`, "ConstraintError", /NOT NULL.*in: INSERT/],
          [sql`INSERT INTO account VALUES ('d', 'text')`, "ConstraintError", /TEXT value in INTEGER column/],
          [sql`SELECT 1; SELECT 2`, "UnknownError", /Expected one statement.*SELECT 2/],
          [sql.unsafe("SELECT ?", [undefined]), "UnknownError", /Parameter 1 is undefined.*in: SELECT \?/],
          [sql.unsafe("SELECT ?", [new Date(0)]), "UnknownError", /Parameter 1 is a Date/],
          [
            sql.unsafe("INSERT INTO account VALUES (?, ?)", ["d", 2n ** 64n]),
            "UnknownError",
            /BigInt.*too large|out of range/i
          ],
          [sql.unsafe("SELECT ?", []), "none", /./],
          [sql.unsafe("SELECT ?", [1, 2]), "UnknownError", /column index out of range|index/],
          [sql`PRAGMA no_such_pragma`, "none", /./],
          [sql``, "UnknownError", /empty|no statement|not contain/i]
        ]
        for (const [statement, tag, message] of cases) {
          const exit = yield* Effect.exit(statement)
          if (tag === "none") {
            assert.isTrue(Exit.isSuccess(exit))
            continue
          }
          const error = yield* Effect.flip(statement)
          assert.deepStrictEqual([error.reason._tag, message.test(error.message)], [tag, true], error.message)
          // The same inside a transaction.
          const inside = yield* Effect.flip(sql.withTransaction(statement))
          assert.strictEqual(inside.reason._tag, tag)
        }
        assert.strictEqual(yield* balances, "a 10, b 0")
      })
    )

    test(
      "Q8 a statement that failed runs the next time",
      Effect.gen(function*() {
        const sql = yield* accounts
        const insert = (id: string) => sql`INSERT INTO account VALUES (${id}, 1)`
        yield* insert("c")
        assert.strictEqual((yield* Effect.flip(insert("c"))).reason._tag, "ConstraintError")
        yield* insert("d")
        const one = sql`CREATE UNIQUE INDEX one ON account (balance)`
        assert.strictEqual((yield* Effect.flip(one)).reason._tag, "UniqueViolation")
        yield* sql`DELETE FROM account WHERE id IN ('c', 'd')`
        yield* one
        assert.strictEqual(yield* balances, "a 10, b 0")
        // An error after half of the rows blocks neither the transaction nor the next run.
        const values = Array.from({ length: 20 }, (_, i) => String(i))
        const half = (last: string) => sql`SELECT json(value) AS v FROM json_each(${JSON.stringify([...values, last])})`
        yield* half("3")
        yield* sql.withTransaction(Effect.gen(function*() {
          yield* sql`DELETE FROM account WHERE id = 'b'`
          assert.match((yield* Effect.flip(half("{"))).message, /malformed JSON/)
          assert.match((yield* Effect.flip(Stream.runDrain(half("{").stream))).message, /malformed JSON/)
        }))
        assert.deepStrictEqual((yield* half("4")).map(({ v }) => v), [...values, "4"])
        assert.strictEqual(yield* balances, "a 10")
      })
    )

    test(
      "Q8 a schema that changes under a prepared statement",
      Effect.gen(function*() {
        const sql = yield* accounts
        const all = sql`SELECT * FROM account WHERE id = 'a'`
        for (let i = 0; i < 3; i++) yield* all
        yield* sql`ALTER TABLE account ADD COLUMN note TEXT DEFAULT 'new'`
        assert.deepStrictEqual(yield* all, [{ id: "a", balance: 10, note: "new" }])
        yield* sql`DROP TABLE account`
        assert.match((yield* Effect.flip(all)).message, /no such table/)
      })
    )

    test(
      "batch: one transaction, all or nothing, with the rows of each; inside a transaction, it joins it",
      Effect.gen(function*() {
        const sql = yield* accounts
        const [, rows] = yield* sql.batch([
          sql`UPDATE account SET balance = 1 WHERE id = 'a'`,
          sql<{ readonly balance: number }>`SELECT balance FROM account WHERE id = 'a'`
        ])
        assert.deepStrictEqual(rows, [{ balance: 1 }])
        const error = yield* Effect.flip(
          sql.batch([sql`UPDATE account SET balance = 2 WHERE id = 'a'`, sql`SELECT nope`])
        )
        assert.match(error.message, /in: SELECT nope/)
        assert.strictEqual(yield* balances, "a 1, b 0")
        yield* Effect.ignore(
          sql.withTransaction(Effect.andThen(sql.batch([sql`DELETE FROM account`]), Effect.fail("no")))
        )
        assert.strictEqual(yield* balances, "a 1, b 0")
        assert.deepStrictEqual(yield* sql.batch([]), [])
      })
    )

    test(
      "transact: result, domain error and panic of a body, also inside a transaction",
      Effect.gen(function*() {
        const sql = yield* accounts
        assert.strictEqual(yield* sql.transact(bodies.transfer, "a", "b", 3), 3)
        assert.strictEqual(yield* balances, "a 7, b 3")
        assert.strictEqual(yield* Effect.flip(sql.transact(bodies.transfer, "a", "b", 30)), "not enough")
        assert.strictEqual(yield* balances, "a 7, b 3")
        const panic = yield* Effect.flip(sql.transact(bodies.panic))
        assert.match(panic.message, /RangeError: no|no/)
        const unique = yield* Effect.flip(sql.transact(bodies.breaks))
        assert.strictEqual((unique as SqlError.SqlError).reason._tag, "ConstraintError")
        assert.strictEqual(yield* sql.transact(bodies.nothing), true)
        yield* sql.withTransaction(Effect.gen(function*() {
          assert.strictEqual(yield* sql.transact(bodies.transfer, "a", "b", 1), 1)
          assert.strictEqual(yield* Effect.flip(sql.transact(bodies.transfer, "a", "b", 30)), "not enough")
          assert.strictEqual((yield* Effect.flip(sql.transact(bodies.breaks))).reason._tag, "ConstraintError")
        }))
        assert.strictEqual(yield* balances, "a 6, b 4")
        yield* Effect.ignore(
          sql.withTransaction(Effect.andThen(sql.transact(bodies.transfer, "a", "b", 1), Effect.fail("no")))
        )
        assert.strictEqual(yield* balances, "a 6, b 4")
      })
    )

    test(
      "readTransaction: one snapshot, no writes, and the writer goes on",
      Effect.gen(function*() {
        const sql = yield* accounts
        const context = yield* Effect.context<SqliteClient.SqliteClient | SqlClient.SqlClient>()
        const update = sql`UPDATE account SET balance = 77 WHERE id = 'a'`
        const seen = yield* sql.readTransaction(Effect.gen(function*() {
          const before = yield* balances
          // Runs outside the transaction.
          if (backend.readers > 0) yield* Effect.updateContext(update, (_: typeof context) => context)
          return [before, yield* balances]
        }))
        assert.deepStrictEqual(seen, ["a 10, b 0", "a 10, b 0"])
        if (backend.readers > 0) {
          assert.strictEqual(yield* balances, "a 77, b 0")
          const error = yield* Effect.flip(sql.readTransaction(sql`DELETE FROM account`))
          assert.match(error.message, /use sql\.withTransaction/)
        }
      })
    )

    test(
      "Q10 many fibers at once: no write is lost, and no result is mixed up",
      Effect.gen(function*() {
        const sql = yield* accounts
        const fibers = 100
        yield* Effect.forEach(Array.from({ length: fibers }), (_, i) =>
          i % 3 === 0
            ? sql.withTransaction(Effect.gen(function*() {
              const [[balance]] = (yield* sql`SELECT balance FROM account WHERE id = 'b'`.values) as [[number]]
              yield* sql`UPDATE account SET balance = ${balance + 1} WHERE id = 'b'`
            }))
            : i % 3 === 1
            ? sql`UPDATE account SET balance = balance + 1 WHERE id = 'b'`
            : sql`SELECT * FROM account`, { concurrency: "unbounded" })
        assert.strictEqual(yield* balances, `a 10, b ${fibers - Math.floor(fibers / 3)}`)
      })
    )
  })
}

for (const backend of backends) contract(backend)
