/** The memory and the messages between the program's thread and the watchdog's. */
import type { Stall } from "../../Watchdog.ts"

/** The data that the watchdog's thread starts with. */
export interface WatchdogStart {
  readonly memory: SharedArrayBuffer
  readonly thresholdMillis: number
  /** `Infinity` for never. */
  readonly announceMillis: number
  /** How stacks are taken: a module is the url of a sampler. */
  readonly capture: "inspector" | "none" | { readonly module: string }
  /** The folder in which the kernel shows the program's thread, if it does. */
  readonly threadFolder: string | undefined
  /** The working directory of the program: paths are shown relative to it. */
  readonly directory: string
}

/** From the watchdog's thread: it is ready, a stall has ended, everything has been reported. */
export type FromWatchdog =
  | { readonly _tag: "Ready" }
  | { readonly _tag: "Stall"; readonly stall: Seen }
  | { readonly _tag: "Closed" }

/** The part of a stall that the watchdog's thread knows. */
export type Seen = Omit<Stall, "site" | "advice">

/** To the watchdog's thread. */
export type ToWatchdog = { readonly _tag: "Close" }

/** The watchdog's thread calls the function of this name while the program is paused in the code that blocks it. */
export const markName = "@effect-blocking/devtools/mark"

/** The watchdog's thread calls the function of this name for the time of the program's thread. */
export const momentName = "@effect-blocking/devtools/moment"

/** A time of one thread. */
export interface Moment {
  /** Milliseconds on a clock that is the same in all threads. */
  readonly now: number
  /** How long the thread has waited for a processor so far. */
  readonly waitedMillis: number
}

// Taken before the program can replace it, as fake timers of tests do.
const { hrtime } = process

/** Monotonic milliseconds on a clock that is the same in all threads of the process. */
export const now = (): number => {
  const [seconds, nanos] = hrtime()
  return seconds * 1e3 + nanos / 1e6
}

/** Milliseconds from one moment of a thread to another, without its waits for a processor. */
export const elapsed = (from: Moment, to: Moment): number => to.now - from.now - (to.waitedMillis - from.waitedMillis)

/**
 * The period of the heartbeat, and of the watchdog's ticks while it comes: a stop of the process that is shorter than a
 * tick counts as the program's time, so that longer ticks make false alarms. Measured: each wake-up of a thread costs 0.1
 * to 0.2 ms.
 */
export const periodOf = (thresholdMillis: number): number => Math.min(100, Math.max(10, thresholdMillis / 2))

export interface LastBeat {
  readonly beats: number
  readonly debugged: boolean
}

/** The memory that both threads share. */
export class Heartbeat {
  private readonly ints: Int32Array
  private readonly floats: Float64Array

  constructor(memory: SharedArrayBuffer) {
    this.ints = new Int32Array(memory, 0, 1)
    this.floats = new Float64Array(memory, 8, 3)
  }

  static memory(): SharedArrayBuffer {
    return new SharedArrayBuffer(32)
  }

  /**
   * Called by the program's thread: its event loop runs at that moment, and did not run for `gapMillis` before, without
   * waits for a processor.
   */
  beat(gapMillis: number, { now, waitedMillis }: Moment, debugged: boolean): void {
    if (gapMillis > this.floats[0]!) this.floats[0] = gapMillis
    this.floats[1] = waitedMillis
    this.floats[2] = now
    // In one word, so that the watchdog never sees one of them without the other.
    Atomics.store(this.ints, 0, ((this.last.beats + 1) << 1) | (debugged ? 1 : 0))
  }

  /** How many heartbeats there have been, and whether an inspector was open at the last one: the program stops at its breakpoints. */
  get last(): LastBeat {
    const word = Atomics.load(this.ints, 0)
    return { beats: word >>> 1, debugged: (word & 1) === 1 }
  }

  /** When the last heartbeat was, by `now`. */
  get beatAt(): number {
    return this.floats[2]!
  }

  /** How long the program's thread had waited for a processor at its last heartbeat. */
  get waitedMillis(): number {
    return this.floats[1]!
  }

  /** The longest gap between two heartbeats since the last call. */
  takeGap(): number {
    const gap = this.floats[0]!
    this.floats[0] = 0
    return gap
  }
}
