/**
 * Finds the code that blocks the event loop, and names its line while it does.
 *
 * One long synchronous call stops every fiber, timer and socket of the program, and nothing reports it: the
 * code that would is blocked too. `layer` starts a small thread that monitors the event loop from outside. It
 * takes the stack of the program's thread while that is blocked, and reports it to the log, as a metric, as an
 * event of the active span, and as a `Stream`.
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
import * as messages from "./internal/watchdog/messages.ts"
import { Repeats } from "./internal/watchdog/repeats.ts"
import type { Seen } from "./internal/watchdog/shared.ts"

// -----------------------------------------------------------------------------
// Models
// -----------------------------------------------------------------------------

/**
 * Options of `layer`. Every option has a default.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** How long the event loop must be blocked for a stall. At least 20 ms. Defaults to 100 ms. */
  readonly threshold?: Duration.Input | undefined
  /**
   * How stacks are taken: by Node's inspector, by a module of your own, or not at all. The module exports a function
   * `sample`, such as that of a native sampler. The watchdog's thread calls it; it returns the frames of the program's
   * thread, the innermost first. Defaults to `"inspector"`.
   */
  readonly capture?: "inspector" | "none" | { readonly module: string | URL } | undefined
  /** For how long a call site is not logged again. Defaults to 1 minute. */
  readonly repeatAfter?: Duration.Input | undefined
  /**
   * After this time the watchdog itself writes a stall that still lasts to stderr: the program can log it only
   * afterwards. `Infinity` for never. Defaults to 1 second.
   */
  readonly announceAfter?: Duration.Input | undefined
}

/**
 * One function of a stack, with its position in the source.
 *
 * @category models
 * @since 0.1.0
 */
export interface Frame {
  /** Empty for an anonymous function. */
  readonly name: string
  readonly url: string
  /** The file, relative to the program's directory if it is in there. */
  readonly path: string
  /** From 1. */
  readonly line: number
  /** From 1. */
  readonly column: number
  /** Whether the function belongs to the program, to an installed package, or to Node. */
  readonly kind: "Program" | "Package" | "Node"
}

/**
 * A time in which one call blocked the event loop.
 *
 * **Details**
 *
 * - `stack: "While"`: the stack was taken during the stall.
 * - `"After"`: a native call of Node blocked the event loop (`scryptSync`, `readFileSync`), and the stack was taken
 *   when it returned. The stack shows the caller.
 * - `"Unknown"`: a native call returned before its stack could be taken, and the code that ran next need not be its
 *   caller.
 * - `"NotTaken"`: the stall was too short for a stack, or stacks are not taken.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stall {
  /** How long it lasted, without the time that the watchdog added. */
  readonly millis: number
  readonly stack: "While" | "After" | "Unknown" | "NotTaken"
  /** The innermost first; empty without a stack. */
  readonly frames: ReadonlyArray<Frame>
  /** The frame to look at first: the innermost of the program's own, if there is one. */
  readonly site: Frame | undefined
  /** How to mend it, in one sentence. */
  readonly advice: string
}

// -----------------------------------------------------------------------------
// Layers
// -----------------------------------------------------------------------------

const blockedMillis = Metric.histogram("effect_blocking_loop_blocked_millis", {
  description: "How long the event loop was blocked, for each stall that is longer than the watchdog's threshold",
  boundaries: [100, 200, 500, 1000, 2000, 5000, 10_000, 30_000]
})

/**
 * Layer that monitors the event loop of the program's thread, and reports the code that blocks it.
 *
 * **Details**
 *
 * Each stall is a warning in the log, with its length, line, stack and advice, once per call site and `repeatAfter`;
 * a value of the metric `effect_blocking_loop_blocked_millis`; an event `event loop blocked` of the span in which it
 * happened, if that is known; and an element of `stalls`. A stall that lasts longer than `announceAfter` is also
 * announced on stderr while it lasts.
 *
 * A capture of the stack briefly pauses the program. The watchdog measures how long, and captures when the stall has
 * lasted ten times as long: after about 100 ms in a small program, after up to a second in one of thousands of modules.
 * So a capture lengthens a stall by at most a tenth. Building the layer takes about 100 ms; then the event loop is
 * monitored.
 *
 * Nothing is reported while an inspector is open (`--inspect`), because breakpoints stop the program. Time in which the
 * process was stopped, the machine slept, or the thread waited for a processor does not count.
 *
 * **Gotchas**
 *
 * The stack of a single native call can be taken only when the call has returned. If the code that runs then need not be
 * the caller, as after `JSON.parse`, the report says that the caller is unknown.
 *
 * Stacks can be taken only of the first thread of a process, which can have one watchdog. Node's permission model needs
 * `--allow-worker`, and `--allow-inspector` where Node has it.
 *
 * **Example** (A program with a watchdog)
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
    return yield* Effect.logWarning("The event loop has a watchdog already: a second Watchdog.layer does nothing")
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
    if (more !== undefined) yield* Effect.logWarning(messages.message(stall, more))
  })

  yield* host.watch({
    thresholdMillis,
    announceMillis,
    capture: typeof capture === "object" ? { module: String(capture.module) } : capture
  }, {
    onStall: (seen) => {
      const stall = stallOf(seen)
      stalls.publish(stall)
      Effect.runForkWith(context)(report(stall))
    },
    onFailure: (error) =>
      void Effect.runForkWith(context)(
        Effect.logWarning("The watchdog of the event loop has failed, and no longer runs", error)
      )
  })
})

const stallOf = ({ frames, millis, stack }: Seen): Stall => {
  const site = frames_.siteOf(frames)
  const tasks = site === undefined ? [] : Task.namesIn(site.url)
  return { millis, stack, frames, site, advice: messages.adviceFor(frames, tasks) }
}

/** By function, not by line: a loop is not always paused in the same line. */
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
 * All stalls of the event loop from now on, as a `Stream`, including those that are not logged again. It buffers 64
 * stalls for a slow reader, and then drops the oldest. Without `layer` it stays empty.
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
