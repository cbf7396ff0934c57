/** The queries, as tasks: plain synchronous functions that run in the threads of the pool. */
import { Task } from "effect-blocking"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { connection, prepared } from "./connection.ts"
import { EmailTaken, type NewUser, User, UserNotFound } from "./domain.ts"

/** A row is what the statement made of it: one that does not fit is a bug, and panics. */
const toUser = Schema.decodeUnknownSync(User)
const toUsers = Schema.decodeUnknownSync(Schema.Array(User))

/** Creates what is missing. */
export const migrate = Task.make(import.meta.url, "migrate", () => {
  // Readers do not wait for a writer, nor a writer for readers. The file remembers this, so once is enough.
  connection().exec("PRAGMA journal_mode = WAL")
  connection().exec(`
    CREATE TABLE IF NOT EXISTS users (
      id INTEGER PRIMARY KEY,
      name TEXT NOT NULL,
      email TEXT NOT NULL UNIQUE COLLATE NOCASE
    ) STRICT
  `)
}, { onInterrupt: "wait" })

const selectUser = prepared("SELECT id, name, email FROM users WHERE id = ?")

export const findUser = Task.make(import.meta.url, "findUser", (id: number) => {
  const row = selectUser().get(id)
  return row === undefined ? Result.fail(new UserNotFound({ id })) : Result.succeed(toUser(row))
}, { errors: [UserNotFound] })

// No index helps: every row is read.
const selectByText = prepared(`
  SELECT id, name, email FROM users WHERE instr(lower(name || ' ' || email), lower(?)) > 0 ORDER BY id LIMIT 20
`)

export const searchUsers = Task.make(
  import.meta.url,
  "searchUsers",
  (text: string) => toUsers(selectByText().all(text))
)

const insertUser = prepared(`
  INSERT INTO users (name, email) VALUES (?, ?) ON CONFLICT (email) DO NOTHING RETURNING id, name, email
`)

export const createUser = Task.make(import.meta.url, "createUser", ({ email, name }: typeof NewUser.Type) => {
  const row = insertUser().get(name, email)
  return row === undefined ? Result.fail(new EmailTaken({ email })) : Result.succeed(toUser(row))
}, { errors: [EmailTaken], onInterrupt: "wait" })
