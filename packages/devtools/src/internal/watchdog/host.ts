/** The program's side of the watchdog: its thread, and the heartbeat. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import type * as Tracer from "effect/Tracer"
import inspector from "node:inspector"
import { isMainThread, Worker } from "node:worker_threads"
import { openProcessor, type ProcessorReader, threadFolder } from "./processor.ts"
import {
  elapsed,
  type FromWatchdog,
  Heartbeat,
  markName,
  type Moment,
  momentName,
  now,
  periodOf,
  type Seen,
  type WatchdogStart
} from "./shared.ts"

// `tsc` rewrites the extensions of imports, not of urls; tools that trace files read literals.
const entry = import.meta.url.endsWith("ts")
  ? new URL("./entry.ts", import.meta.url)
  : new URL("./entry.js", import.meta.url)

/** The watchdog's thread loads nothing of the program, but source maps can be large. */
const resourceLimits = { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 8 }

/** How long closing waits for the watchdog's thread. Arbitrary: it normally answers within milliseconds. */
const closeMillis = 1000

export interface Listener {
  readonly onStall: (stall: Seen) => void
  /** The watchdog's thread has failed. The program goes on without a watchdog. */
  readonly onFailure: (error: unknown) => void
}

/** Adds an event to the span of the current fiber, if it has one. */
const onMark = (stalledMillis: number, site: string): void => {
  const fiber = Fiber.getCurrent()
  const span = fiber?.cache.span as Tracer.AnySpan | undefined
  if (fiber === undefined || span?._tag !== "Span" || span.status._tag !== "Started") return
  const time = fiber.getRef(Clock.Clock).currentTimeNanosUnsafe()
  span.event("event loop blocked", time, { "blocked.millis": Math.round(stalledMillis), "blocked.site": site })
}

const mark = Symbol.for(markName)
const moment = Symbol.for(momentName)

/** The functions that the watchdog's thread calls through the inspector. */
const slots = globalThis as unknown as {
  [mark]?: typeof onMark
  [moment]?: () => Moment
}

/** Both times of a moment are read within this many milliseconds. Arbitrary: a hundred times what it usually takes. */
const momentMillis = 0.5

/** How often a moment is read until it is short enough. Arbitrary: on a machine where it never is, the last one counts. */
const maxReads = 5

const momentOf = (processor: ProcessorReader) => (): Moment => {
  for (let reads = 1;; reads++) {
    const before = now()
    const { waitedMillis } = processor.read()
    const moment = { now: now(), waitedMillis }
    // Otherwise the thread may have waited for a processor in between.
    if (moment.now - before <= momentMillis || reads === maxReads) return moment
  }
}

/** Whether this thread is watched already. */
export const isWatched = (): boolean => slots[mark] !== undefined

/** Watches the event loop of this thread until the scope closes. Returns when it is watched. */
export const watch = (
  options: Pick<WatchdogStart, "announceMillis" | "capture" | "thresholdMillis">,
  listener: Listener
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(Effect.acquireRelease(start(options, listener), (watching) => watching.close))

const start = (
  options: Pick<WatchdogStart, "announceMillis" | "capture" | "thresholdMillis">,
  { onFailure, onStall }: Listener
): Effect.Effect<{ readonly close: Effect.Effect<void> }> =>
  Effect.callback((resume) => {
    const memory = Heartbeat.memory()
    const heartbeat = new Heartbeat(memory)
    const folder = threadFolder()
    const processor = openProcessor(folder)
    const momentNow = momentOf(processor)
    slots[mark] = onMark
    slots[moment] = momentNow

    let last = momentNow()
    const beat = (): void => {
      const current = momentNow()
      heartbeat.beat(elapsed(last, current), current, inspector.url() !== undefined)
      last = current
    }
    beat()
    // A real timer: a test clock does not block an event loop.
    const timer = setInterval(beat, periodOf(options.thresholdMillis)).unref()

    const worker = new Worker(entry, {
      workerData: {
        ...options,
        memory,
        threadFolder: folder,
        // The inspector reaches only the first thread of a process.
        capture: isMainThread || typeof options.capture === "object" ? options.capture : "none",
        directory: process.cwd()
      } satisfies WatchdogStart,
      name: "watchdog",
      resourceLimits,
      // The program's flags, such as those that preload modules, are not for this thread.
      execArgv: [],
      stdout: false
    })

    let isOver = false
    let onClosed = (): void => {}
    // Once: afterwards the slots are those of the next watchdog.
    const end = (): void => {
      if (isOver) return
      isOver = true
      clearInterval(timer)
      processor.close()
      delete slots[mark]
      delete slots[moment]
      onClosed()
    }
    const close = Effect.callback<void>((done) => {
      if (isOver) return done(Effect.void)
      onClosed = () => done(Effect.void)
      beat()
      worker.postMessage({ _tag: "Close" })
      // Closing never hangs on that thread.
      const forced = setTimeout(() => {
        void worker.terminate()
        end()
      }, closeMillis)
      worker.once("exit", () => {
        clearTimeout(forced)
        end()
      })
    })
    worker.on("message", (message: FromWatchdog) => {
      switch (message._tag) {
        case "Ready":
          worker.unref()
          return resume(Effect.succeed({ close }))
        case "Stall":
          return onStall(message.stall)
        case "Closed":
          return void worker.terminate()
      }
    })
    worker.on("error", (error) => {
      end()
      onFailure(error)
      resume(Effect.succeed({ close }))
    })
  })
