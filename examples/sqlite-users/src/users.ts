/** The queries, in plain `effect/sql`. */
import { Effect, Option, Schema } from "effect"
import { SqlClient, SqlSchema } from "effect/sql"
import { EmailTaken, NewUser, User, UserNotFound } from "./domain.ts"

export const find = Effect.fn("users.find")(function*(id: number) {
  const sql = yield* SqlClient.SqlClient
  const byId = SqlSchema.findOneOption({
    Request: Schema.Int,
    Result: User,
    execute: (id) => sql`SELECT id, name, email FROM users WHERE id = ${id}`
  })
  const user = yield* byId(id)
  return Option.isSome(user) ? user.value : yield* new UserNotFound({ id })
})

// No index helps: this reads every row.
export const search = Effect.fn("users.search")(function*(text: string) {
  const sql = yield* SqlClient.SqlClient
  const byText = SqlSchema.findAll({
    Request: Schema.String,
    Result: User,
    execute: (text) =>
      sql`SELECT id, name, email FROM users
        WHERE instr(lower(name || ' ' || email), lower(${text})) > 0 ORDER BY id LIMIT 20`
  })
  return yield* byText(text)
})

export const create = Effect.fn("users.create")(function*({ email, name }: typeof NewUser.Type) {
  const sql = yield* SqlClient.SqlClient
  const insert = SqlSchema.findOneOption({
    Request: NewUser,
    Result: User,
    execute: ({ email, name }) =>
      sql`INSERT INTO users ${sql.insert({ name, email })} ON CONFLICT (email) DO NOTHING RETURNING id, name, email`
  })
  const user = yield* insert({ email, name })
  return Option.isSome(user) ? user.value : yield* new EmailTaken({ email })
})

/** Inserts `count` users. */
export const seed = Effect.fn("users.seed")(function*(count: number) {
  const sql = yield* SqlClient.SqlClient
  yield* sql`
    WITH RECURSIVE number(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM number WHERE n < ${count})
    INSERT INTO users (name, email) SELECT 'User ' || n, 'user' || n || '@example.com' FROM number`
})
