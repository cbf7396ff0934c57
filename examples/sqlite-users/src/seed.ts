/** Rows for the demonstration. */
import { Task } from "effect-blocking"
import { prepared } from "./connection.ts"

const insertMany = prepared(`
  WITH RECURSIVE number(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM number WHERE n < ?)
  INSERT INTO users (name, email) SELECT 'User ' || n, 'user' || n || '@example.com' FROM number
`)

/** Inserts that many users; returns how many there were inserted. */
export const seed = Task.make(import.meta.url, "seed", (count: number) => Number(insertMany().run(count).changes), {
  onInterrupt: "wait"
})
