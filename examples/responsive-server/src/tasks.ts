/**
 * The work that blocks, as tasks. Pool threads load this module, so it imports
 * neither the server nor the whole of `effect`.
 */
import { Task } from "effect-blocking"
import * as Result from "effect/Result"
import { scryptSync, timingSafeEqual } from "node:crypto"
import { readFileSync } from "node:fs"
import { DatabaseSync } from "node:sqlite"
import { brotliCompressSync, constants } from "node:zlib"
import { bundleFile, databaseFile } from "./files.ts"

const accounts = new Map([
  ["ada", { salt: "8f2c1d6ab07e4935", hash: "f31e429c469d107aff5f21880ebdee0978f60bcaec1c0a48ffa30ede245bd4c5" }],
  ["grace", { salt: "41c9e07d52ba38f6", hash: "7f5fc01530d9aa05453d96948393df40af924f48f9c8acf93e91013c10b8016b" }]
])

/** Checks a password; a wrong one is an error of the domain, and arrives typed. */
export const login = Task.make(import.meta.url, "login", (user: string, password: string) => {
  const account = accounts.get(user)
  // An unknown user takes as long as a wrong password, and so cannot be told from one.
  const hash = scryptSync(password, account?.salt ?? "", 32, { N: 2 ** 15, maxmem: 64 * 1024 * 1024 })
  return account !== undefined && timingSafeEqual(hash, Buffer.from(account.hash, "hex"))
    ? Result.succeed({ user })
    : Result.fail({ _tag: "WrongPassword", user } as const)
})

/** One connection for each thread, opened by the first search on it. */
const database = Task.threadLocal(() => new DatabaseSync(databaseFile, { readOnly: true }), {
  release: (connection) => connection.close()
})

/** Finds the source files in which a text occurs most often. */
export const search = Task.make(import.meta.url, "search", (text: string) =>
  database().prepare(`
    SELECT path, (length(content) - length(replace(content, :text, ''))) / length(:text) AS hits
    FROM sources WHERE instr(content, :text) > 0 ORDER BY hits DESC, path LIMIT 5
  `).all({ text }))

/** Compresses the bundle; the result is moved to the server's thread, not copied. */
export const compress = Task.make(import.meta.url, "compress", () => {
  const params = { [constants.BROTLI_PARAM_QUALITY]: 5 }
  return Task.move(brotliCompressSync(readFileSync(bundleFile), { params }))
})
