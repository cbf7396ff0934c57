/** A connection for each pool thread, and the statements that it keeps prepared. Only pool threads open one. */
import { Task } from "effect-blocking"
import { DatabaseSync, type StatementSync } from "node:sqlite"

/** What the pool gives each of its threads. */
export interface ThreadData {
  readonly file: string
}

/** Opened by the first task on a thread, closed when the thread retires. */
export const connection = Task.threadLocal(() => {
  const data = Task.threadData<ThreadData>()
  if (data === undefined) throw new Error("Database tasks run in the Database pool, which names the file")
  // There is one writer at a time: another one waits for it, in its thread.
  const database = new DatabaseSync(data.file, { timeout: 5_000 })
  // With a write-ahead log nothing is corrupted by this; a power cut may lose the last commits.
  database.exec("PRAGMA synchronous = NORMAL")
  return database
}, { release: (database) => database.close() })

/** A statement, prepared once for each connection. */
export const prepared = (sql: string): () => StatementSync => Task.threadLocal(() => connection().prepare(sql))
