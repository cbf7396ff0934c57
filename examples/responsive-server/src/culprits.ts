/** The stalls of the event loop that the watchdog finds. */
import { Watchdog } from "@effect-blocking/devtools"
import { Array, Effect, Layer, Logger, Stream } from "effect"

/** Without its log: the stalls are printed once, below the table. */
export const layer = Watchdog.layer({ threshold: "50 millis", announceAfter: Infinity }).pipe(
  Layer.provide(Logger.layer([]))
)

/** Runs an effect, and also returns the stalls that happen meanwhile. */
export const during = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.scoped(Effect.gen(function*() {
    const stalls: Array<Watchdog.Stall> = []
    yield* Effect.forkScoped(
      Stream.runForEach(Watchdog.stalls, (stall) => Effect.sync(() => stalls.push(stall))),
      { startImmediately: true }
    )
    const result = yield* effect
    return [result, stalls] as const
  }))

/** The calls in `tasks.ts` to blocking functions of Node. The watchdog can name only those. */
const calls = ["scryptSync", "brotliCompressSync"] as const

const calledIn = (call: typeof calls[number]) => ({ frames }: Watchdog.Stall): boolean =>
  frames.some(({ kind, name }) =>
    kind === "Node" &&
    (call === "scryptSync" ? name === call : name.startsWith("zlib") || name.startsWith("processChunk"))
  )

export const render = (stalls: ReadonlyArray<Watchdog.Stall>): string => {
  const longest = Math.max(0, ...stalls.map(({ millis }) => millis))
  const named = calls.map((call) => {
    const found = stalls.filter(calledIn(call))
    const lines = Array.dedupe(found.flatMap(({ site }) => site === undefined ? [] : [site.line]))
    const times = `${found.length} ${found.length === 1 ? "time" : "times"}`
    return `${call} ${times}${lines.length === 0 ? "" : ` (tasks.ts, line ${lines.join(",")})`}`
  })
  const rest = stalls.length - stalls.filter((stall) => calls.some((call) => calledIn(call)(stall))).length
  return `In place, the event loop was blocked ${stalls.length} times, for up to ${longest.toFixed(0)} ms: by ` +
    `${named.join(", by ")}, and ${rest} times by calls that the watchdog could not name, such as the query.`
}
