/** Sends both versions the same requests, and compares the answers. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { Console, Effect, Schema } from "effect"
import * as After from "./after/login.ts"
import { makeLogin } from "./before/login.ts"

class Different extends Schema.TaggedError<Different>()("Different", {
  request: Schema.String,
  before: Schema.String,
  after: Schema.String
}) {
  override get message() {
    return `${this.request}: ${this.before} before, ${this.after} after`
  }
}

interface Row {
  readonly request: string
  readonly logins: ReadonlyArray<readonly [user: string, password: string]>
  /** The old answer, where it is expected to differ. */
  readonly before?: string
}

const good = ["ada", "correct horse"] as const

const rows: ReadonlyArray<Row> = [
  { request: "the right password", logins: [good] },
  { request: "a wrong one", logins: [["ada", "1234"]] },
  { request: "an unknown user", logins: [["bob", "1234"]] },
  { request: "four at once", logins: [good, good, good, good] },
  { request: "a damaged record", logins: [["eve", "1234"]], before: "500 TypeError without its code" },
  { request: "one that takes years", logins: [["ada", `${"a".repeat(50)}!`]] },
  { request: "the right one again", logins: [good] }
]

const before = Effect.acquireRelease(Effect.sync(makeLogin), ({ close }) => Effect.promise(close))

const program = Effect.gen(function*() {
  const { login } = yield* before
  yield* Console.log(`${"".padEnd(24)}${"with piscina".padEnd(36)}with effect-blocking`)
  for (const row of rows) {
    const ask = <E, R>(one: (user: string, password: string) => Effect.Effect<string, E, R>) =>
      Effect.forEach(row.logins, ([user, password]) => one(user, password), { concurrency: "unbounded" }).pipe(
        Effect.map((answers) => answers.toSorted().join(", "))
      )
    const old = yield* ask((user, password) => Effect.promise(() => login(user, password)))
    const now = yield* ask(After.login)
    yield* Console.log(`${row.request.padEnd(24)}${old.padEnd(36)}${now}`)
    if (old !== (row.before ?? now)) return yield* new Different({ request: row.request, before: old, after: now })
  }
}).pipe(Effect.scoped)

NodeBlocking.runMain(program.pipe(Effect.provide(After.layer)))
