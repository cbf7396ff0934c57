/** The same function as a task, with its own arguments and errors. */
import { Task } from "effect-blocking"
import * as Result from "effect/Result"
import { scryptSync } from "node:crypto"
import { accounts, isWellFormed } from "../accounts.ts"

export const verify = Task.make(
  import.meta.url,
  "verify",
  (user: string, password: string) => {
    const account = accounts.get(user)
    if (account === undefined) return Result.fail({ _tag: "UnknownUser", user } as const)
    if (!isWellFormed(password)) return Result.fail({ _tag: "WrongPassword" } as const)
    const digest = scryptSync(password, account.salt, 8).toString("hex")
    return digest === account.digest ? Result.succeed({ user }) : Result.fail({ _tag: "WrongPassword" } as const)
  },
  { timeLimit: "2 seconds" }
)
