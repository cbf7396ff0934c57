/** A database behind calls that block: each thread has a connection. Pool threads load this module. */
import { Task } from "effect-blocking"
import { DatabaseSync } from "node:sqlite"
import * as Signal from "../signal.ts"

/** The `threadData` of the pool. */
export interface Settings {
  readonly path: string
  readonly opened: Int32Array
  readonly closed: Int32Array
}

const settings = (): Settings => Task.threadData<Settings>()!

const connection = Task.threadLocal(() => {
  Signal.count(settings().opened)
  return new DatabaseSync(settings().path)
}, {
  release: (database) => {
    database.close()
    Signal.count(settings().closed)
  }
})

/** Makes the table, and fills it in one transaction. */
export const fill = Task.make(import.meta.url, "fill", (rows: number): void => {
  const database = connection()
  database.exec("CREATE TABLE numbers (n INTEGER PRIMARY KEY); BEGIN")
  const insert = database.prepare("INSERT INTO numbers VALUES (?)")
  for (let n = 1; n <= rows; n++) insert.run(n)
  database.exec("COMMIT")
})

/** Counts the multiples of a number, and looks at all rows for it. */
export const countMultiples = Task.make(
  import.meta.url,
  "countMultiples",
  (of: number) => Number(connection().prepare("SELECT count(*) AS n FROM numbers WHERE n % ? = 0").get(of)?.["n"])
)
