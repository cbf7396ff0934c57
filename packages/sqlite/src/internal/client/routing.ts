/** Which connection a statement is for, by its first word. */

export type Route =
  /** Reads: any reader. */
  | "read"
  /** Writes: the writer, in a transaction. */
  | "write"
  /** The writer, and not in a transaction. */
  | "alone"

const reads = /^(?:select|values|with|explain)$/i
/** May go on as an INSERT: a connection that only reads refuses that, one for all does not. */
const readsOrWrites = /^with$/i
const writes = /^(?:insert|update|delete|replace|create|drop|alter|reindex|analyze)$/i

/** Functions that tell of the connection that has written. */
const ofWriter = /\b(?:last_insert_rowid|changes|total_changes)\s*\(/i

const blank = /^(?:\s|--[^\n]*(?:\n|$)|\/\*[^]*?\*\/|\()+/

/** Statements whose route is remembered. Arbitrary. */
const maxRemembered = 1000

export class Router {
  private readonly routes = new Map<string, Route>()
  /** Statements with results so large that they are streamed. */
  private readonly large = new Set<string>()
  private readonly hasReaders: boolean

  constructor(hasReaders: boolean) {
    this.hasReaders = hasReaders
  }

  routeOf(sql: string): Route {
    let route = this.routes.get(sql)
    if (route === undefined) {
      route = byFirstWord(sql, this.hasReaders)
      remember(this.routes, () => this.routes.set(sql, route!))
    }
    return route
  }

  /** A reader was asked to run it, and it writes: a WITH that ends in an INSERT. */
  writes(sql: string): void {
    this.routes.set(sql, "write")
  }

  isLarge(sql: string): boolean {
    return this.large.has(sql)
  }

  /** Its result was too large for one message. */
  isTooLarge(sql: string): void {
    remember(this.large, () => this.large.add(sql))
  }
}

/** Programs that write their parameters into the text have any number of statements. */
const remember = (memory: { readonly size: number; readonly clear: () => void }, add: () => void): void => {
  if (memory.size >= maxRemembered) memory.clear()
  add()
}

const byFirstWord = (sql: string, hasReaders: boolean): Route => {
  const text = sql.replace(blank, "")
  const word = /^\w+/.exec(text)?.[0] ?? ""
  if (!hasReaders && readsOrWrites.test(word)) return "write"
  if (reads.test(word)) return ofWriter.test(text) ? "alone" : "read"
  // A pragma can be about the connection, and VACUUM or ATTACH cannot be in a transaction.
  return writes.test(word) ? "write" : "alone"
}
