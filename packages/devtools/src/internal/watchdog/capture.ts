/** Takes the stack of the program's thread, from another thread, through Node's inspector. */
import { type Debugger, Session } from "node:inspector"
import { common, isBlockingCall, isOwn, type RawFrame } from "./frames.ts"
import { markName } from "./shared.ts"

export interface Captured {
  /** `None`: whoever held the program cannot be told from them. */
  readonly confidence: "Sure" | "None"
  readonly frames: ReadonlyArray<RawFrame>
  /** Whether it was taken only when a native call had returned. */
  readonly isLate: boolean
  /** How long the program was held for it. */
  readonly costMillis: number
}

/** Milliseconds in which the program's thread had a processor, or needed none. */
export type Clock = () => number

/** A way to the program's thread, for one stall. */
export interface Capturing {
  /** Asks the program a short question, which only JavaScript answers at once. Called again and again before `take`. */
  readonly probe: () => void
  /** Whether this is a good moment: the program answers at once, or not at all. In between it may say nothing. */
  readonly isClear: () => boolean
  /** Calls back once, when there is a stack; not at all after `close`. The program has been held for so long by then. */
  readonly take: (heldMillis: number, onTaken: (captured: Captured) => void) => void
  readonly close: () => void
}

/**
 * An answer that takes longer has waited for a native call to return. Measured: JavaScript answers within 0.6 ms, on a
 * busy machine within 2.
 */
const promptMillis = 3

/** Between the two looks at a stack. Arbitrary: if the stall was over at the first, the heart beats before the second. */
const betweenMillis = 2

/** How long the second look is waited for. Arbitrary: then the program has nothing to do, or is in a native call again. */
const secondMillis = 1000

/** The time of the program's thread, which this thread may hear of much later on a machine that is busy. */
const timeOfProgram = "performance.timeOrigin + performance.now()"

const timeHere = (): number => performance.timeOrigin + performance.now()

/**
 * By a session of its own. The stack is looked at twice, and whoever is on both has held the program in between: what
 * runs when a stall has just ended is not taken for what has caused it.
 */
export class InspectorCapturing implements Capturing {
  private readonly sourceMapUrls: Map<string, string>
  private readonly starved: () => number
  private readonly beats: () => number
  private session: Session | undefined
  private probing = false
  /** Whether the last question was answered at once. */
  private prompt = false

  /** `sourceMapUrls`: where the scripts say that their source maps are, by the numbers of the scripts. */
  constructor(sourceMapUrls: Map<string, string>, starved: () => number, beats: () => number) {
    this.sourceMapUrls = sourceMapUrls
    this.starved = starved
    this.beats = beats
  }

  isClear(): boolean {
    return this.prompt || this.probing
  }

  probe(): void {
    this.prompt = this.prompt && !this.probing
    if (this.probing) return
    this.probing = true
    this.ask(this.connected(), (delay) => {
      this.probing = false
      this.prompt = delay <= promptMillis
    })
  }

  close(): void {
    // One that stays connected is waited for by the exit of the process.
    this.session?.disconnect()
    this.session = undefined
  }

  private connected(): Session {
    if (this.session !== undefined) return this.session
    const session = this.session = new Session()
    session.connectToMainThread()
    return session
  }

  /** How long the program took to answer, less the time in which it waited for a processor. */
  private ask(session: Session, onAnswer: (delayMillis: number) => void): void {
    const asked = timeHere()
    const starvedBefore = this.starved()
    session.post("Runtime.evaluate", { expression: timeOfProgram }, (_, answer) => {
      onAnswer(Number(answer?.result.value) - asked - (this.starved() - starvedBefore))
    })
  }

  /** Milliseconds in which the program's thread had a processor, or needed none. */
  private clock(): number {
    return performance.now() - this.starved()
  }

  take(heldMillis: number, onTaken: (captured: Captured) => void): void {
    const session = this.connected()
    const wasPrompt = this.prompt && !this.probing
    const beats = this.beats()
    const urls = new Map<string, string>()
    let began = this.clock()
    let isLate = true
    let first: ReadonlyArray<RawFrame> | undefined
    let isDone = false

    const done = (frames: ReadonlyArray<RawFrame>): void => {
      if (isDone) return
      isDone = true
      clearTimeout(timer)
      session.post("Debugger.disable", () => {
        session.off("Debugger.scriptParsed", onScript)
        session.off("Debugger.paused", onPaused)
        if (this.session !== session) return
        const costMillis = this.clock() - began - (first === undefined ? 0 : betweenMillis)
        const confidence = frames.length === 0 ? "None" : "Sure"
        if (confidence === "Sure") this.close()
        onTaken({ confidence, frames, isLate, costMillis })
      })
    }
    let timer: NodeJS.Timeout | undefined
    const onScript = ({ params }: { readonly params: Debugger.ScriptParsedEventDataType }): void => {
      urls.set(params.scriptId, params.url)
      if (params.sourceMapURL) this.sourceMapUrls.set(params.scriptId, params.sourceMapURL)
    }
    const onPaused = ({ params }: { readonly params: Debugger.PausedEventDataType }): void => {
      const frames = params.callFrames.map((frame) => rawFrame(frame, urls))
      const judged = isDone ? [] : judge(first, frames, isLate)
      if (judged.length > 0) this.mark(session, heldMillis, judged)
      session.post("Debugger.resume")
      if (judged.length > 0 || first !== undefined) return done(judged)
      first = frames
      timer = after(betweenMillis, () => {
        if (this.beats() !== beats) return done([])
        timer = after(secondMillis, () => done([]))
        session.post("Debugger.pause")
      })
    }
    session.on("Debugger.scriptParsed", onScript)
    session.on("Debugger.paused", onPaused)
    this.ask(session, (delay) => {
      began = this.clock()
      isLate = !wasPrompt || delay > promptMillis
    })
    session.post("Debugger.enable")
    session.post("Debugger.pause")
  }

  /** Tells the span of the fiber that runs: only here it can be seen which, and soon it may have ended. */
  private mark(session: Session, heldMillis: number, frames: ReadonlyArray<RawFrame>): void {
    const site = frames.find(isOwn) ?? frames[0]!
    const told = [heldMillis, `${site.url}:${site.line + 1}:${site.column + 1}`].map((part) => JSON.stringify(part))
    // Not on a frame: those of Node itself do not see what is global.
    session.post("Runtime.evaluate", {
      expression: `globalThis[Symbol.for(${JSON.stringify(markName)})]?.(${told.join(", ")})`,
      silent: true
    })
  }
}

/** This thread has no fibers. */
const after = (millis: number, callback: () => void): NodeJS.Timeout =>
  // @effect-diagnostics-next-line globalTimers:off
  setTimeout(callback, millis)

/** The frames that say who holds the program; none, if they do not. */
const judge = (
  first: ReadonlyArray<RawFrame> | undefined,
  frames: ReadonlyArray<RawFrame>,
  isLate: boolean
): ReadonlyArray<RawFrame> => {
  if (isLate && isBlockingCall(frames)) return frames.slice(1)
  if (first === undefined) return []
  // Of a stack that was taken behind a native call, the first frame was just entered.
  const skipped = isLate ? 1 : 0
  return common(first.slice(skipped), frames.slice(skipped))
}

const rawFrame = (
  { functionLocation, functionName, location, url }: Debugger.CallFrame,
  urls: ReadonlyMap<string, string>
): RawFrame => {
  const { columnNumber = 0, lineNumber, scriptId } = location
  const at = functionLocation ?? location
  return {
    name: functionName,
    url: url === "" ? urls.get(scriptId) ?? "" : url,
    line: lineNumber,
    column: columnNumber,
    functionKey: `${scriptId}:${at.lineNumber}:${at.columnNumber ?? 0}`,
    scriptId
  }
}

/**
 * Has the inspector look at the scripts of the program once, and says how long the program is held by that the next time.
 * The first time takes several times as long as all others, and would have to wait for a stall that is as much longer.
 */
export const warmUp = async (clock: Clock): Promise<number> => {
  const session = new Session()
  session.connectToMainThread()
  try {
    await enabled(session, clock)
    // The machine can be busy with something else for a moment.
    return Math.min(await enabled(session, clock), await enabled(session, clock))
  } finally {
    session.disconnect()
  }
}

const enabled = (session: Session, clock: Clock): Promise<number> =>
  new Promise((resolve) => {
    let began = 0
    session.post("Runtime.getIsolateId", () => {
      began = clock()
    })
    session.post("Debugger.enable")
    session.post("Debugger.disable", () => resolve(clock() - began))
  })
