/** What the program's thread and the watchdog's share: memory for the heartbeat, and the messages between them. */
import type { Stall } from "../../Watchdog.ts"

/** What the watchdog's thread is started with. */
export interface WatchdogStart {
  readonly memory: SharedArrayBuffer
  readonly thresholdMillis: number
  /** `Infinity` for never. */
  readonly announceMillis: number
  /** The url of a module with a sampler, or how a stack is taken without one. */
  readonly capture: "inspector" | "none" | { readonly module: string }
  /** The number of the program's process, if its first thread is watched. */
  readonly mainPid: number | undefined
  /** Of the program, to which paths are shown. */
  readonly directory: string
}

/** From the watchdog's thread: it watches, it has seen the end of a stall, it has seen all that there was. */
export type FromWatchdog =
  | { readonly _tag: "Ready" }
  | { readonly _tag: "Stall"; readonly stall: Seen }
  | { readonly _tag: "Closed" }

/** What the watchdog's thread knows of a stall. */
export type Seen = Omit<Stall, "site" | "advice">

/** To the watchdog's thread. */
export type ToWatchdog = { readonly _tag: "Close" }

/** The function of this name is called in the program's thread while that is paused in the code that holds it. */
export const markName = "@effect-blocking/devtools/mark"

/**
 * How often the program's heart beats, and the watchdog looks while it does. Measured: on a busy machine each waking of a
 * thread costs some 0.1 ms, and both together are to cost less than half a percent of a processor.
 */
export const periodOf = (thresholdMillis: number): number => Math.min(100, Math.max(10, thresholdMillis / 2))

/** The memory that both see. */
export class Heartbeat {
  private readonly ints: Int32Array
  private readonly floats: Float64Array

  constructor(memory: SharedArrayBuffer) {
    this.ints = new Int32Array(memory, 0, 2)
    this.floats = new Float64Array(memory, 8, 1)
  }

  static memory(): SharedArrayBuffer {
    return new SharedArrayBuffer(16)
  }

  /** On the program's side: it is alive, and was not for so long before. */
  beat(gapMillis: number, debugged: boolean): void {
    if (gapMillis > this.floats[0]!) this.floats[0] = gapMillis
    Atomics.store(this.ints, 1, debugged ? 1 : 0)
    Atomics.add(this.ints, 0, 1)
  }

  get beats(): number {
    return Atomics.load(this.ints, 0)
  }

  /** Whether an inspector is open, at whose breakpoints the program stops. */
  get debugged(): boolean {
    return Atomics.load(this.ints, 1) === 1
  }

  /** The longest gap between two beats since it was last asked. */
  takeGap(): number {
    const gap = this.floats[0]!
    this.floats[0] = 0
    return gap
  }
}
