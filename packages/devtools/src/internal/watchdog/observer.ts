/**
 * Decides what is a stall, when its stack is taken, and what is reported. It knows no thread and no
 * clock: `tick` looks, and says in how many milliseconds it is to be called again.
 *
 * ```text
 *            silent for 1.5 periods            blamed for the threshold           the heart beats
 *   Calm -----------------------------> Wary ---------------------------> Stalled -----------------> Calm, reported
 *    ^            a first question          |                                 |   (or Ending, until a capture
 *    |            to the program            |                                 |    that was asked for is there)
 *    '--------------------------------------'                                 '-- an inspector is open: forgotten
 *                 the heart beats
 * ```
 *
 * Blamed is the time since the last heartbeat, less the time in which the program could not have
 * beaten: the watchdog itself slept too long (the process was stopped, the machine slept, there
 * was no processor), or the program's thread waited for a processor.
 */
import type { Captured, Capturing } from "./capture.ts"
import type { RawFrame } from "./frames.ts"
import type { Seen } from "./shared.ts"

export interface ObserverPort {
  /** Monotonic milliseconds. */
  readonly now: () => number
  readonly beats: () => number
  readonly debugged: () => boolean
  readonly takeGap: () => number
  /** How long the program's thread has waited for a processor since it began; always 0 if that is not known. */
  readonly starvedMillis: () => number
  readonly expectedCaptureMillis: () => number
  /** Opens a way to the program's thread; `undefined` if no stacks are to be taken. */
  readonly capturing: () => Capturing | undefined
  /** It still lasts: the program's own log cannot say so. */
  readonly announce: (millis: number, captured: Captured | undefined) => void
  readonly report: (stall: Observed) => void
}

/** A stall as it is seen here: positions are those of the code that runs. */
export interface Observed extends Omit<Seen, "frames"> {
  readonly frames: ReadonlyArray<RawFrame>
}

export interface ObserverOptions {
  readonly periodMillis: number
  readonly thresholdMillis: number
  readonly announceMillis: number
}

/** A watchdog that wakes up later than that was held up itself. Arbitrary: above what timers are late by. */
const toleranceMillis = 5

/** How many times as long as a capture a stall has to be before it is lengthened by one (W3). */
const patience = 10

/** What is left of a measured cost after each stall of which no stack was taken. Arbitrary: half of it after three. */
const forgetting = 0.8

/** How many captures are tried in one stall. Arbitrary: those after the first are for what that told nothing of. */
const maxCaptures = 10

/** How long a capture may be on its way after the stall has ended. Arbitrary: a hundred times what is usual. */
const captureTimeoutMillis = 5000

/** How many frames are reported. Arbitrary. */
const maxFrames = 20

interface Calm {
  readonly _tag: "Calm"
}

interface Wary {
  readonly _tag: "Wary"
  readonly capturing: Capturing | undefined
  readonly starvedBefore: number
}

interface Stalled extends Omit<Wary, "_tag"> {
  readonly _tag: "Stalled"
  captures: number
  /** How long the captures have held the program. */
  captureMillis: number
  pending: boolean
  nextCaptureMillis: number
  announced: boolean
  taken: Captured | undefined
  /** Set when it has ended. */
  ended: { readonly at: number; readonly millis: number } | undefined
}

type State = Calm | Wary | Stalled

export class Observer {
  private state: State = { _tag: "Calm" }
  private lastTick: number
  /** When the next look is due, after the last. */
  private delay: number
  private lastBeats: number
  /** Since the last heartbeat, as far as the watchdog was awake. */
  private silentMillis = 0
  /** How much of the gap the watchdog has slept through. */
  private sleptMillis = 0
  /** What the last capture cost, as far as that still counts. */
  private captureCost: number | undefined
  private cheapestCapture = Infinity
  private readonly port: ObserverPort
  private readonly options: ObserverOptions

  constructor(port: ObserverPort, options: ObserverOptions) {
    this.port = port
    this.options = options
    this.delay = options.periodMillis
    this.lastTick = port.now()
    this.lastBeats = port.beats()
  }

  /** Looks oftener when something may be wrong. */
  tick(): number {
    this.look()
    return this.delay = this.silentMillis > 0 ? this.options.periodMillis / 4 : this.options.periodMillis
  }

  private look(): void {
    const { options, port } = this
    const now = port.now()
    const elapsed = now - this.lastTick
    this.lastTick = now
    const late = elapsed - this.delay
    const slept = late > toleranceMillis ? late : 0

    const beats = port.beats()
    const beaten = beats !== this.lastBeats
    this.lastBeats = beats
    // The last tick before a beat that was slept through belongs to the gap as well.
    this.sleptMillis += slept
    if (port.debugged()) return this.calm()
    if (beaten) return this.onBeat(now)
    this.silentMillis += elapsed - slept

    const { state } = this
    if (state._tag === "Calm") {
      if (this.silentMillis >= 1.5 * options.periodMillis) this.becomeWary()
    } else if (state._tag === "Stalled") {
      if (state.ended === undefined) this.onStalled(state, this.blamed(state))
      else this.onEnding(state, state.ended.at)
    } else if (this.blamed(state) >= options.thresholdMillis) {
      this.onStalled(this.stall(state), this.blamed(state))
    } else state.capturing?.probe()
  }

  /** Nothing more will be seen: tells of a stall that was not told yet. */
  close(): void {
    const { state } = this
    if (state._tag === "Stalled" && state.ended !== undefined) this.finish(state, state.ended.millis)
    else this.calm()
  }

  /** Whether a stall has ended and was not told: a capture is on its way. */
  get isEnding(): boolean {
    return this.state._tag === "Stalled" && this.state.ended !== undefined
  }

  private get expectedCost(): number {
    return this.captureCost ?? this.port.expectedCaptureMillis()
  }

  /** How long the program's thread could have beaten, and did not. */
  private blamed({ starvedBefore }: Wary | Stalled): number {
    return this.silentMillis - (this.port.starvedMillis() - starvedBefore)
  }

  private becomeWary(): void {
    const capturing = this.port.capturing()
    this.state = { _tag: "Wary", capturing, starvedBefore: this.port.starvedMillis() }
    capturing?.probe()
  }

  private stall({ capturing, starvedBefore }: Wary): Stalled {
    return this.state = {
      _tag: "Stalled",
      capturing,
      starvedBefore,
      captures: 0,
      captureMillis: 0,
      pending: false,
      nextCaptureMillis: patience * this.expectedCost,
      announced: false,
      taken: undefined,
      ended: undefined
    }
  }

  private onStalled(state: Stalled, blamed: number): void {
    const { capturing, captures, pending, taken } = state
    const isKnown = taken?.confidence === "Sure"
    const { nextCaptureMillis } = state
    if (
      capturing !== undefined && !isKnown && !pending && captures < maxCaptures && blamed >= nextCaptureMillis &&
      (capturing.isClear() || blamed >= 2 * nextCaptureMillis)
    ) {
      state.pending = true
      state.captures++
      capturing.take(blamed, (captured) => this.onCaptured(state, captured))
    } else if (!isKnown && !pending) capturing?.probe()
    // By name if there is going to be one, but not without end.
    const announceMillis = this.options.announceMillis *
      (capturing === undefined || state.taken?.confidence === "Sure" ? 1 : 3)
    if (!state.announced && blamed >= announceMillis) {
      state.announced = true
      this.port.announce(blamed, state.taken)
    }
  }

  private onCaptured(state: Stalled, captured: Captured): void {
    if (state !== this.state) return
    this.captureCost = Math.max(1, captured.costMillis)
    this.cheapestCapture = Math.min(this.cheapestCapture, this.captureCost)
    state.pending = false
    state.captureMillis += captured.costMillis
    state.taken = captured
    // The next costs as much, and the stall has to be long enough for all of them.
    state.nextCaptureMillis = patience * (state.captureMillis + this.captureCost)
    if (state.ended !== undefined) this.finish(state, state.ended.millis)
  }

  /** Its end was seen, and a capture is on its way. */
  private onEnding(state: Stalled, endedAt: number): void {
    if (this.port.now() - endedAt > captureTimeoutMillis) this.finish(state, state.ended!.millis)
  }

  private onBeat(now: number): void {
    const { state } = this
    if (state._tag === "Calm") return this.calm()
    if (state._tag === "Stalled" && state.ended !== undefined) {
      this.settle()
      return this.onEnding(state, state.ended.at)
    }
    // The last beat was due half a period before, on average.
    const gap = this.port.takeGap() - this.options.periodMillis / 2 - this.sleptMillis
    const millis = gap - (this.port.starvedMillis() - state.starvedBefore)
    this.settle()
    if (state._tag === "Stalled") {
      // What was captured while it lasted has lengthened it.
      const own = state.taken === undefined ? 0 : state.captureMillis
      const held = Math.max(this.options.thresholdMillis, millis - own)
      state.ended = { at: now, millis: held }
      if (!state.pending) this.finish(state, held)
    } else if (millis >= this.options.thresholdMillis) {
      this.finish(this.stall(state), millis)
    } else this.calm()
  }

  private finish({ captures, taken }: Stalled, millis: number): void {
    // The machine may have been busy when it was measured: what was dear once is not for ever.
    if (captures === 0 && this.captureCost !== undefined) {
      this.captureCost = Math.max(this.cheapestCapture, this.captureCost * forgetting)
    }
    this.calm()
    if (taken?.confidence !== "Sure") {
      this.port.report({ millis, stack: taken === undefined ? "NotTaken" : "Unknown", frames: [] })
    } else {
      const { frames, isLate } = taken
      this.port.report({ millis, stack: isLate ? "After" : "While", frames: frames.slice(0, maxFrames) })
    }
  }

  private calm(): void {
    const { state } = this
    if (state._tag !== "Calm") state.capturing?.close()
    this.state = { _tag: "Calm" }
    this.settle()
  }

  /** The heart has beaten: the count begins anew. */
  private settle(): void {
    this.silentMillis = 0
    this.sleptMillis = 0
    this.port.takeGap()
  }
}
