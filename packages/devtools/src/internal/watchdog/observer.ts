/**
 * Decides what is a stall, when its stack is taken, and what is reported. It knows no thread and no
 * clock: `tick` checks the heartbeat, and returns in how many milliseconds it is to be called again.
 *
 * ```text
 *               no heartbeat for 1.5 periods              threshold                  heartbeat
 *   Responsive -----------------------------> Suspected -----------> Stalled ------------------> Responsive, reported
 *    ^              the first probe              |                      |   (ended, but still Stalled until a capture
 *    |                                           |                      |    that is under way has its stack)
 *    '-------------------------------------------'                      '-- an inspector is opened: discarded
 *                     heartbeat
 * ```
 *
 * The threshold applies to the time that is attributed to the program: since the last heartbeat, less the time in which
 * the whole process was stopped or the machine slept (the watchdog's own timer was late), less the time in which the
 * program's thread waited for a processor.
 */
import type { Captured, Capturing } from "./capture.ts"
import type { RawFrame } from "./frames.ts"
import type { LastBeat, Seen } from "./shared.ts"

export interface ObserverPort {
  /** Monotonic milliseconds. */
  readonly now: () => number
  readonly lastBeat: () => LastBeat
  /** When the last heartbeat was. */
  readonly beatAt: () => number
  /** The longest gap between two heartbeats since the last call, without waits for a processor. */
  readonly takeGap: () => number
  /** How long the program's thread has waited for a processor since its last heartbeat; 0 if that is not known. */
  readonly waitedMillis: () => number
  /** How long the watchdog's thread has run, or waited for a processor, since it began; 0 unless the program's waits are known. */
  readonly ownBusyMillis: () => number
  readonly expectedCaptureMillis: () => number
  /** Opens a connection to the program's thread; `undefined` if no stacks are to be taken. */
  readonly capturing: () => Capturing | undefined
  /** A stall lasts, and the program cannot log it yet. */
  readonly announce: (millis: number, captured: Captured | undefined) => void
  readonly report: (stall: Observed) => void
}

/** A stall with positions in the running code, before source maps. */
export interface Observed extends Omit<Seen, "frames"> {
  readonly frames: ReadonlyArray<RawFrame>
}

export interface ObserverOptions {
  readonly periodMillis: number
  readonly thresholdMillis: number
  readonly announceMillis: number
}

/** Lateness above this means that the process was suspended or starved. Arbitrary: more than the usual lateness of timers. */
const toleranceMillis = 5

/** Capture only when the stall is at least this many times the cost of a capture (W3). */
const minStallRatio = 10

/** After each stall without a capture, the measured cost is multiplied by this. Arbitrary: it halves after three. */
const costDecay = 0.8

/** The maximum number of captures of one stall. Arbitrary: each follows one without a result. */
const maxCaptures = 10

/** How long a capture may take after the end of the stall. Arbitrary: a hundred times the usual. */
const captureTimeoutMillis = 5000

/** How many frames are reported. Arbitrary. */
const maxFrames = 20

interface Responsive {
  readonly _tag: "Responsive"
}

interface Suspected {
  readonly _tag: "Suspected"
  readonly capturing: Capturing | undefined
}

interface Stalled {
  readonly _tag: "Stalled"
  readonly capturing: Capturing | undefined
  captures: number
  /** The cost of all captures. */
  captureMillis: number
  pending: boolean
  nextCaptureMillis: number
  announced: boolean
  taken: Captured | undefined
  /** Set when it has ended. */
  ended: { readonly at: number; readonly millis: number } | undefined
}

type State = Responsive | Suspected | Stalled

const isKnown = ({ taken }: Stalled): boolean => taken !== undefined && taken.frames.length > 0

export class Observer {
  private state: State = { _tag: "Responsive" }
  private lastTick: number
  /** Milliseconds from the last tick to the next. */
  private delay: number
  private lastBeats: number
  private ownBusy: number
  /** The time since the last heartbeat, without `stoppedMillis`. */
  private silentMillis = 0
  /** How long the process was stopped, or the machine slept, since the last heartbeat. */
  private stoppedMillis = 0
  /** The cost of the last capture, reduced after each stall without one. */
  private captureCost: number | undefined
  private cheapestCapture = Infinity
  private readonly port: ObserverPort
  private readonly options: ObserverOptions

  constructor(port: ObserverPort, options: ObserverOptions) {
    this.port = port
    this.options = options
    this.delay = options.periodMillis
    this.lastTick = port.now()
    this.lastBeats = port.lastBeat().beats
    this.ownBusy = port.ownBusyMillis()
  }

  /** Ticks follow each other faster when something may be wrong. */
  tick(): number {
    this.check()
    return this.delay = this.silentMillis > 0 ? this.options.periodMillis / 4 : this.options.periodMillis
  }

  private check(): void {
    const { options, port } = this
    const elapsed = port.now() - this.lastTick
    this.lastTick += elapsed
    const ownBusy = port.ownBusyMillis()
    // While this thread was busy, or had no processor, the program ran.
    const late = elapsed - this.delay - Math.max(0, ownBusy - this.ownBusy)
    this.ownBusy = ownBusy
    const stopped = late > toleranceMillis ? late : 0

    const { beats, debugged } = port.lastBeat()
    const hasBeaten = beats !== this.lastBeats
    this.lastBeats = beats
    // Even if the program resumed first: the gap before this heartbeat includes the stop.
    this.stoppedMillis += stopped
    if (debugged) return this.becomeResponsive()
    if (hasBeaten) {
      this.onBeat()
      // A stop that began after the heartbeat is part of the next gap.
      this.stoppedMillis = Math.max(0, Math.min(stopped, this.lastTick - port.beatAt()))
      return
    }
    this.silentMillis += elapsed - stopped

    const { state } = this
    if (state._tag === "Responsive") {
      if (this.silentMillis >= 1.5 * options.periodMillis) this.suspect()
    } else if (state._tag === "Stalled") {
      if (state.ended === undefined) this.onStalled(state)
      else this.onEnded(state, state.ended)
    } else if (this.attributedMillis() >= options.thresholdMillis) {
      this.onStalled(this.stall(state))
    } else state.capturing?.probe()
  }

  /** Nothing more will be seen: reports a stall that has ended and was not reported yet. */
  close(): void {
    const { state } = this
    if (state._tag === "Stalled" && state.ended !== undefined) this.finish(state, state.ended.millis)
    else this.becomeResponsive()
  }

  /** Whether a stall has ended and was not reported: a capture is under way. */
  get isEnding(): boolean {
    return this.state._tag === "Stalled" && this.state.ended !== undefined
  }

  private get expectedCost(): number {
    return this.captureCost ?? this.port.expectedCaptureMillis()
  }

  private attributedMillis(): number {
    return this.silentMillis - this.port.waitedMillis()
  }

  private suspect(): void {
    const capturing = this.port.capturing()
    this.state = { _tag: "Suspected", capturing }
    capturing?.probe()
  }

  private stall({ capturing }: Suspected): Stalled {
    return this.state = {
      _tag: "Stalled",
      capturing,
      captures: 0,
      captureMillis: 0,
      pending: false,
      nextCaptureMillis: minStallRatio * this.expectedCost,
      announced: false,
      taken: undefined,
      ended: undefined
    }
  }

  private onStalled(state: Stalled): void {
    const { capturing, captures, nextCaptureMillis, pending } = state
    const attributed = this.attributedMillis()
    if (capturing !== undefined && !isKnown(state) && !pending) {
      const isDue = captures < maxCaptures && attributed >= nextCaptureMillis
      if (isDue && (capturing.isClear() || attributed >= 2 * nextCaptureMillis)) {
        state.pending = true
        state.captures++
        let isStall = true
        const stalledMillis = (): number => {
          const millis = this.stalledMillis(state)
          isStall = millis > 0
          return millis
        }
        capturing.take(stalledMillis, (captured) => this.onCaptured(state, captured, isStall))
      } else capturing.probe()
    }
    // The announcement waits for a stack, but not for ever.
    const announceMillis = this.options.announceMillis * (capturing === undefined || isKnown(state) ? 1 : 3)
    if (!state.announced && attributed >= announceMillis) {
      state.announced = true
      this.port.announce(attributed, state.taken)
    }
  }

  /** Called when the waits of the program are known exactly: 0 if they make up too much of the stall. */
  private stalledMillis(state: Stalled): number {
    if (state !== this.state) return 0
    if (state.ended !== undefined) return state.ended.millis
    const sinceTick = Math.min(this.port.now() - this.lastTick, this.delay)
    const millis = this.attributedMillis() + sinceTick
    return millis >= this.options.thresholdMillis ? millis : 0
  }

  private onCaptured(state: Stalled, captured: Captured, isStall: boolean): void {
    if (state !== this.state) return
    this.captureCost = Math.max(1, captured.costMillis)
    this.cheapestCapture = Math.min(this.cheapestCapture, this.captureCost)
    state.pending = false
    state.captureMillis += captured.costMillis
    if (isStall) state.taken = captured
    // The next costs as much, and the stall has to be long enough for all of them.
    state.nextCaptureMillis = minStallRatio * (state.captureMillis + this.captureCost)
    if (state.ended !== undefined) this.finish(state, state.ended.millis)
  }

  /** A capture is still under way. */
  private onEnded(state: Stalled, { at, millis }: NonNullable<Stalled["ended"]>): void {
    if (this.port.now() - at > captureTimeoutMillis) this.finish(state, millis)
  }

  private onBeat(): void {
    const { options, state } = this
    if (state._tag === "Responsive") return this.settle()
    if (state._tag === "Stalled" && state.ended !== undefined) {
      this.settle()
      return this.onEnded(state, state.ended)
    }
    const gap = this.port.takeGap() - this.stoppedMillis - (state._tag === "Stalled" ? state.captureMillis : 0)
    // The last heartbeat was due half a period before the stall, on average.
    const millis = gap - options.periodMillis / 2
    this.settle()
    if (state._tag === "Suspected") {
      if (millis >= options.thresholdMillis) this.finish(this.stall(state), millis)
      else this.becomeResponsive()
    } else if (gap < options.thresholdMillis) {
      // The program waited for a processor: that is known only after the wait.
      this.becomeResponsive()
    } else {
      const ended = state.ended = { at: this.lastTick, millis: Math.max(options.thresholdMillis, millis) }
      if (!state.pending) this.finish(state, ended.millis)
    }
  }

  private finish(state: Stalled, millis: number): void {
    // Something else may have made the last capture expensive, so its cost does not count for ever.
    if (state.captures === 0 && this.captureCost !== undefined) {
      this.captureCost = Math.max(this.cheapestCapture, this.captureCost * costDecay)
    }
    this.becomeResponsive()
    const { taken } = state
    if (taken === undefined) return this.port.report({ millis, stack: "NotTaken", frames: [] })
    const { frames, isLate } = taken
    this.port.report({
      millis,
      stack: frames.length === 0 ? "Unknown" : isLate ? "After" : "While",
      frames: frames.slice(0, maxFrames)
    })
  }

  private becomeResponsive(): void {
    const { state } = this
    if (state._tag !== "Responsive") state.capturing?.close()
    this.state = { _tag: "Responsive" }
    this.settle()
  }

  /** After a heartbeat the count begins anew. */
  private settle(): void {
    this.silentMillis = 0
    this.stoppedMillis = 0
    this.port.takeGap()
  }
}
