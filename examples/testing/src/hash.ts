/** The task module. Pool threads load it. */
import { Task } from "effect-blocking"
import { scryptSync } from "node:crypto"

export const hash = Task.make(
  import.meta.url,
  "hash",
  (password: string, salt: string) => scryptSync(password, salt, 64).toString("hex"),
  { timeLimit: "5 seconds" }
)
