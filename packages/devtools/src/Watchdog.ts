/**
 * Finds what blocks the event loop: names the line while it does.
 *
 * One synchronous call that takes long stops every fiber, timer and socket of the program, and nothing
 * reports it: the code that would is blocked too. `layer` starts a small thread that watches from
 * outside. It takes the stack of the program's thread while that is held, and reports it to the log, as a
 * metric, as an event of the span that was active, and as a `Stream`.
 *
 * @module
 * @since 0.1.0
 */
import * as Task from "effect-blocking/Task"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import type * as Stream from "effect/Stream"
import * as frames_ from "./internal/watchdog/frames.ts"
import * as host from "./internal/watchdog/host.ts"
import * as hub from "./internal/watchdog/hub.ts"
import { Repeats } from "./internal/watchdog/repeats.ts"
import type { Seen } from "./internal/watchdog/shared.ts"
import * as words from "./internal/watchdog/words.ts"

// -----------------------------------------------------------------------------
// Models
// -----------------------------------------------------------------------------

/**
 * What is a stall, and what is done about it. Every option has a default.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** How long the event loop may be held before that is a stall. From 20 ms. Defaults to 100 ms. */
  readonly threshold?: Duration.Input | undefined
  /**
   * How stacks are taken: by Node's inspector, by a module of your own, or not at all. The module exports a function
   * `sample`, which is called in the watchdog's thread and returns the frames of the program's thread, the innermost
   * first; so a native sampler can be used. Defaults to `"inspector"`.
   */
  readonly capture?: "inspector" | "none" | { readonly module: string | URL } | undefined
  /** How long a call site is not logged again. Defaults to 1 minute. */
  readonly repeatAfter?: Duration.Input | undefined
  /**
   * After which time a stall that still lasts is written to stderr by the watchdog itself: the program's log cannot
   * tell of it before it has ended. `Infinity` for never. Defaults to 1 second.
   */
  readonly announceAfter?: Duration.Input | undefined
}

/**
 * One function of a stack, by its position in the source.
 *
 * @category models
 * @since 0.1.0
 */
export interface Frame {
  /** Empty for an anonymous function. */
  readonly name: string
  readonly url: string
  /** Its file from the directory of the program, or as it is. */
  readonly path: string
  /** From 1. */
  readonly line: number
  /** From 1. */
  readonly column: number
  /** Whose it is: the program's, a package's that it has installed, or Node's own. */
  readonly kind: "Program" | "Package" | "Node"
}

/**
 * A time in which nothing else could run in the program's thread.
 *
 * **Details**
 *
 * - `stack: "While"`: the stack was taken while it lasted.
 * - `"After"`: a native call of Node held the event loop (`scryptSync`, `readFileSync`), and the stack was taken
 *   when it returned. Who has made it is on it.
 * - `"Unknown"`: a native call had returned before its stack could be taken, and what ran next is not who has made it.
 * - `"NotTaken"`: it was too short for a stack, or stacks are not taken.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stall {
  /** How long it lasted, without what the watchdog has added. */
  readonly millis: number
  readonly stack: "While" | "After" | "Unknown" | "NotTaken"
  /** The innermost first; none unless the stack was taken. */
  readonly frames: ReadonlyArray<Frame>
  /** The frame to look at: the innermost of the program's own, if there is one. */
  readonly site: Frame | undefined
  /** What to do about it, in a sentence. */
  readonly advice: string
}

// -----------------------------------------------------------------------------
// Layers
// -----------------------------------------------------------------------------

const blockedMillis = Metric.histogram("effect_blocking_loop_blocked_millis", {
  description: "How long the event loop was held, each time that it was held for longer than the watchdog allows",
  boundaries: [100, 200, 500, 1000, 2000, 5000, 10_000, 30_000]
})

/**
 * Layer that watches the event loop of the program's thread, and reports who holds it.
 *
 * **Details**
 *
 * Each stall is a warning in the log, with the time, the line, the stack and what to do, once per call site and
 * `repeatAfter`; a value of the metric `effect_blocking_loop_blocked_millis`; an event `event loop blocked` of the
 * span in which it happened, where that can be told; and an element of `stalls`. While a stall of more than
 * `announceAfter` lasts, a line on stderr tells of it.
 *
 * A stack is taken when the stall has lasted ten times as long as that takes, which is measured: some 100 ms in a small
 * program, up to a second in one of thousands of modules. So it adds at most a tenth. The layer
 * is built when the event loop is watched, after some 100 ms.
 *
 * There is no report while an inspector is open (`--inspect`), at whose breakpoints the program stops, nor
 * of time in which the process was stopped, the machine slept, or the thread waited for a processor.
 *
 * **Gotchas**
 *
 * Of a single native call the stack can only be taken when it has returned. Where what then runs is not who has made
 * it, as after `JSON.parse`, the report says that it does not know.
 *
 * Only the first thread of a process can be looked into, and one watchdog at a time. Node's permission model needs
 * `--allow-worker`, and `--allow-inspector` where Node has it.
 *
 * **Example** (A program that is watched)
 *
 * ```ts
 * import { Watchdog } from "@effect-blocking/devtools"
 * import { Effect, Layer } from "effect"
 *
 * export const run = <A, E>(program: Effect.Effect<A, E>) =>
 *   program.pipe(Effect.provide(Watchdog.layer({ threshold: "50 millis" })))
 *
 * export const AppLive = Layer.mergeAll(Watchdog.layer())
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<never> => Layer.effectDiscard(make(options))

const make = Effect.fnUntraced(function*(options: Options) {
  if (host.isWatched()) {
    return yield* Effect.logWarning("The event loop is watched already: a second Watchdog.layer does nothing")
  }
  const thresholdMillis = millisOf("threshold", options.threshold ?? 100, 20)
  const announceMillis = millisOf("announceAfter", options.announceAfter ?? 1000, 0)
  const { capture = "inspector" } = options
  const repeats = new Repeats(millisOf("repeatAfter", options.repeatAfter ?? 60_000, 0))
  const context = yield* Effect.context<never>()
  const stalls = yield* hub.Stalls
  yield* Effect.acquireRelease(
    Effect.sync(() => stalls.watching++),
    () => Effect.sync(() => stalls.watching--)
  )

  const report = Effect.fnUntraced(function*(stall: Stall) {
    const site = siteName(stall)
    const clock = yield* Clock.Clock
    yield* Metric.update(Metric.withAttributes(blockedMillis, { site: repeats.label(site) }), stall.millis)
    const more = repeats.take(site, clock.currentTimeMillisUnsafe())
    if (more !== undefined) yield* Effect.logWarning(words.message(stall, more))
  })

  yield* host.watch({
    thresholdMillis,
    announceMillis,
    capture: typeof capture === "object" ? { module: String(capture.module) } : capture
  }, (seen) => {
    const stall = stallOf(seen)
    stalls.tell(stall)
    Effect.runForkWith(context)(report(stall))
  })
})

const stallOf = ({ frames, millis, stack }: Seen): Stall => {
  const site = frames_.siteOf(frames)
  const tasks = site === undefined ? [] : Task.namesIn(site.url)
  return { millis, stack, frames, site, advice: words.adviceFor(frames, tasks) }
}

/** By function: the same loop is not always paused in the same line. */
const siteName = ({ site, stack }: Stall): string => {
  if (site === undefined) return stack
  return site.name === "" ? `${site.path}:${site.line}` : `${site.path} ${site.name}`
}

const millisOf = (name: string, input: Duration.Input, least: number): number => {
  const millis = Duration.toMillis(input)
  if (millis >= least) return millis
  throw new RangeError(`Watchdog.layer: ${name} is a duration of at least ${least} ms, not ${millis} ms`)
}

// -----------------------------------------------------------------------------
// Getters
// -----------------------------------------------------------------------------

/**
 * Tells each stall of the event loop from now on, as a `Stream`: every one, also those that are not logged again. Of more than 64
 * that wait for a slow reader, the oldest are dropped. Without `layer` there is none.
 *
 * **Example** (A stall fails a check)
 *
 * ```ts
 * import { Watchdog } from "@effect-blocking/devtools"
 * import { Effect, Stream } from "effect"
 *
 * export const firstLongStall = Watchdog.stalls.pipe(
 *   Stream.filter(({ millis }) => millis > 500),
 *   Stream.runHead,
 *   Effect.provide(Watchdog.layer())
 * )
 * ```
 *
 * @category getters
 * @since 0.1.0
 */
export const stalls: Stream.Stream<Stall> = hub.stalls
