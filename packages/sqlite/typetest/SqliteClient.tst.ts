import type { NodeBlocking } from "@effect-blocking/platform-node"
import { SqliteClient, SqliteTask } from "@effect-blocking/sqlite"
import { type Effect, type Layer, Result, type Stream } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { describe, expect, it } from "tstyche"

declare const sql: SqliteClient.SqliteClient

interface User {
  readonly id: number
}

describe("SqliteClient", () => {
  it("layer", () => {
    expect(SqliteClient.layer({ filename: "a.db" })).type.toBe<
      Layer.Layer<
        SqliteClient.SqliteClient | SqlClient.SqlClient,
        SqliteClient.SqliteOpenError | NodeBlocking.InvalidOptions
      >
    >()
    expect(SqliteClient.layer).type.not.toBeCallableWith({})
    expect(SqliteClient.layer).type.not.toBeCallableWith({ filename: "a.db", timeout: 5 })
  })

  it("is a SqlClient", () => {
    expect(sql).type.toBeAssignableTo<SqlClient.SqlClient>()
    expect(sql<User>`SELECT 1`.stream).type.toBe<Stream.Stream<User, SqlError.SqlError>>()
  })

  it("batch: a tuple of the rows of each statement", () => {
    expect(sql.batch([sql<User>`SELECT 1`, sql<{ readonly n: string }>`SELECT 2`])).type.toBe<
      Effect.Effect<readonly [ReadonlyArray<User>, ReadonlyArray<{ readonly n: string }>], SqlError.SqlError>
    >()
    const many: ReadonlyArray<typeof statement> = []
    const statement = sql<User>`SELECT 1`
    expect(sql.batch(many)).type.toBe<Effect.Effect<ReadonlyArray<ReadonlyArray<User>>, SqlError.SqlError>>()
    expect(sql.batch).type.not.toBeCallableWith([1])
  })

  it("transact: arguments, result and domain error of the body", () => {
    const transfer = SqliteTask.make(
      "file:///a.ts",
      "transfer",
      (_db, from: string, amount: number) => from === "" ? Result.fail("none" as const) : Result.succeed(amount)
    )
    expect(sql.transact(transfer, "a", 1)).type.toBe<Effect.Effect<number, "none" | SqlError.SqlError>>()
    expect(sql.transact).type.not.toBeCallableWith(transfer, "a")
    expect(sql.transact).type.not.toBeCallableWith(transfer, "a", "1")
    const plain = SqliteTask.make("file:///a.ts", "plain", (_db): string => "x")
    expect(sql.transact(plain)).type.toBe<Effect.Effect<string, SqlError.SqlError>>()
  })

  it("transactions keep the types of their effect", () => {
    const effect = {} as Effect.Effect<number, "no", User>
    expect(sql.readTransaction(effect)).type.toBe<Effect.Effect<number, "no" | SqlError.SqlError, User>>()
  })

  it("rejects an asynchronous body", () => {
    // @ts-expect-error The body of a transaction is synchronous
    SqliteTask.make("file:///a.ts", "wait", async (db) => db.exec("SELECT 1"))
    expect(SqliteTask.make("file:///a.ts", "throws", (): never => {
      throw new Error("no")
    })).type.toBe<SqliteTask.SqliteTask<readonly [], never>>()
  })
})
