/**
 * The worker file of piscina: a function of one argument. A thrown error arrives without its name and fields, so errors
 * that the caller handles are part of the result.
 */
import { scryptSync } from "node:crypto"
import { accounts, isWellFormed } from "../accounts.ts"

interface Request {
  readonly user: string
  readonly password: string
}

export type Outcome =
  | { readonly ok: true; readonly user: string }
  | { readonly ok: false; readonly error: "UnknownUser" | "WrongPassword" }

export default ({ password, user }: Request): Outcome => {
  const account = accounts.get(user)
  if (account === undefined) return { ok: false, error: "UnknownUser" }
  if (!isWellFormed(password)) return { ok: false, error: "WrongPassword" }
  const digest = scryptSync(password, account.salt, 8).toString("hex")
  return digest === account.digest ? { ok: true, user } : { ok: false, error: "WrongPassword" }
}
