/** Chooses the connection for a statement by its first word. */

export type Route =
  /** A read, for any reader. */
  | "read"
  /** A read of a value that only the writer's connection has. */
  | "readOnWriter"
  /** A write, for the writer, in a transaction. */
  | "write"
  /** For the writer, without a transaction. */
  | "autocommit"

const reads = /^(?:select|values|with|explain)$/i
const writes = /^(?:insert|update|delete|replace|create|drop|alter|reindex|analyze)$/i
const controls = /^(?:begin|commit|end|rollback|savepoint|release)$/i

/** A word that makes a WITH a write. `replace(` is a function. */
const writesBehindWith = /\b(?:insert|update|delete|replace(?!\s*\())\b/i

/** Functions that describe the last write of their connection. */
const ofWriter = /\b(?:last_insert_rowid|changes|total_changes)\s*\(/i

const blank = /^(?:\s|--[^\n]*(?:\n|$)|\/\*[^]*?\*\/|\()+/

/** How many statements are remembered, and how many characters each may have. Arbitrary. */
const maxRemembered = 1000
const maxLength = 10_000

export class Router {
  private readonly routes = new Map<string, Route>()
  /** Statements whose results are so large that they are streamed. */
  private readonly large = new Set<string>()

  routeOf(sql: string): Route {
    let route = this.routes.get(sql)
    if (route === undefined) {
      route = byFirstWord(sql)
      if (isKept(sql, this.routes)) this.routes.set(sql, route)
    }
    return route
  }

  isLarge(sql: string): boolean {
    return this.large.has(sql)
  }

  /** Notes whether the last result was too large for one message. */
  wasLarge(sql: string, large: boolean): void {
    if (!large) this.large.delete(sql)
    else if (isKept(sql, this.large)) this.large.add(sql)
  }
}

/** Limits the memory: a program that writes values into its statements has any number of texts. */
const isKept = (sql: string, memory: { readonly size: number; readonly clear: () => void }): boolean => {
  if (memory.size >= maxRemembered) memory.clear()
  return sql.length <= maxLength
}

const firstWord = (text: string): string => /^\w+/.exec(text)?.[0] ?? ""

const byFirstWord = (sql: string): Route => {
  const text = sql.replace(blank, "")
  const word = firstWord(text)
  if (/^with$/i.test(word) && writesBehindWith.test(text)) return "write"
  if (reads.test(word)) return ofWriter.test(text) ? "readOnWriter" : "read"
  // VACUUM and ATTACH cannot run in a transaction, and a pragma may concern the connection.
  return writes.test(word) ? "write" : "autocommit"
}

/** Whether a statement begins or ends a transaction or a savepoint. */
export const isControl = (sql: string): boolean => controls.test(firstWord(sql.replace(blank, "")))
