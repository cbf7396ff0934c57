/** Which connection a statement is for, by its first word. */

export type Route =
  /** Reads: any reader. */
  | "read"
  /** Reads what only the writer's connection knows. */
  | "readOnWriter"
  /** Writes: the writer, in a transaction. */
  | "write"
  /** The writer, and not in a transaction. */
  | "alone"

const reads = /^(?:select|values|with|explain)$/i
const writes = /^(?:insert|update|delete|replace|create|drop|alter|reindex|analyze)$/i
const controls = /^(?:begin|commit|end|rollback|savepoint|release)$/i

/** What a WITH goes on with if it writes. `replace(` is a function. */
const writesBehindWith = /\b(?:insert|update|delete|replace(?!\s*\())\b/i

/** Functions that tell of the connection that has written. */
const ofWriter = /\b(?:last_insert_rowid|changes|total_changes)\s*\(/i

const blank = /^(?:\s|--[^\n]*(?:\n|$)|\/\*[^]*?\*\/|\()+/

/** Statements that are remembered, and how long the longest of them is. Arbitrary. */
const maxRemembered = 1000
const maxLength = 10_000

export class Router {
  private readonly routes = new Map<string, Route>()
  /** Statements with results so large that they are streamed. */
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

  /** Whether its result was larger than one message carries. */
  wasLarge(sql: string, large: boolean): void {
    if (!large) this.large.delete(sql)
    else if (isKept(sql, this.large)) this.large.add(sql)
  }
}

/** Programs that write their parameters into the text have any number of statements. */
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
  // A pragma can be about the connection, and VACUUM or ATTACH cannot be in a transaction.
  return writes.test(word) ? "write" : "alone"
}

/** Whether it begins or ends a transaction, or a part of one. */
export const isControl = (sql: string): boolean => controls.test(firstWord(sql.replace(blank, "")))
