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
  /** Asks the program a first, short question: only JavaScript answers at once. */
  readonly open: () => void
  /** Calls back once, when there is a stack; not at all after `close`. The program has been held for so long by then. */
  readonly take: (heldMillis: number, onTaken: (captured: Captured) => void) => void
  readonly close: () => void
}

/**
 * An answer that takes longer has waited for a native call to return. Measured: JavaScript answers within 0.6 ms, on a
 * busy machine within 2.
 */
const promptMillis = 3

/** By session, so that what the program's own inspectors do is not met with a stack of ours. */
export class InspectorCapturing implements Capturing {
  private readonly sourceMapUrls: Map<string, string>
  /** Those that are connected. */
  private readonly sessions = new Set<Session>()
  private answered = false
  private before: ReadonlyArray<RawFrame> | undefined
  private readonly starved: () => number

  /** `sourceMapUrls`: where the scripts say that their source maps are, by the numbers of the scripts. */
  constructor(sourceMapUrls: Map<string, string>, starved: () => number) {
    this.sourceMapUrls = sourceMapUrls
    this.starved = starved
  }

  open(): void {
    const session = this.connect()
    session.post("Runtime.getIsolateId", () => {
      this.answered = true
      this.disconnect(session)
    })
  }

  close(): void {
    for (const session of this.sessions) this.disconnect(session)
  }

  /** Milliseconds in which the program's thread had a processor, or needed none. */
  private clock(): number {
    return performance.now() - this.starved()
  }

  private connect(): Session {
    const session = new Session()
    session.connectToMainThread()
    this.sessions.add(session)
    return session
  }

  /** As soon as there is nothing more to ask: one that stays connected is waited for by the exit of the process. */
  private disconnect(session: Session): void {
    if (this.sessions.delete(session)) session.disconnect()
  }

  take(heldMillis: number, onTaken: (captured: Captured) => void): void {
    const session = this.connect()
    const wasPrompt = this.answered
    const asked = performance.timeOrigin + performance.now()
    let began = this.clock()
    let delay = Infinity
    const urls = new Map<string, string>()
    const onScript = ({ params }: { readonly params: Debugger.ScriptParsedEventDataType }): void => {
      urls.set(params.scriptId, params.url)
      if (params.sourceMapURL) this.sourceMapUrls.set(params.scriptId, params.sourceMapURL)
    }
    session.on("Debugger.scriptParsed", onScript)
    session.once("Debugger.paused", ({ params }) => {
      const frames = params.callFrames.map((frame) => rawFrame(frame, urls))
      const isLate = !wasPrompt || delay > promptMillis
      const judged = this.judge(frames, isLate)
      const site = judged.frames.find(isOwn) ?? judged.frames[0]
      if (site !== undefined) {
        // To the span of the fiber that runs: only here it can be seen which, and soon it may have ended.
        const told = [heldMillis, `${site.url}:${site.line + 1}:${site.column + 1}`].map((part) => JSON.stringify(part))
        // Not on a frame: those of Node itself do not see what is global.
        session.post("Runtime.evaluate", {
          expression: `globalThis[Symbol.for(${JSON.stringify(markName)})]?.(${told.join(", ")})`,
          silent: true
        })
      }
      session.post("Debugger.resume")
      session.post("Debugger.disable", () => {
        if (!this.sessions.has(session)) return
        this.disconnect(session)
        onTaken({ ...judged, isLate, costMillis: this.clock() - began })
      })
    })
    // By its own clock: this thread may hear of the answer much later, on a machine that is busy.
    session.post("Runtime.evaluate", { expression: "performance.timeOrigin + performance.now()" }, (_, answer) => {
      began = this.clock()
      delay = Number(answer?.result.value) - asked
    })
    session.post("Debugger.enable")
    session.post("Debugger.pause")
  }

  private judge(frames: ReadonlyArray<RawFrame>, isLate: boolean): Pick<Captured, "confidence" | "frames"> {
    if (!isLate) return { confidence: "Sure", frames }
    if (isBlockingCall(frames)) return { confidence: "Sure", frames: frames.slice(1) }
    // Many native calls, one after the other: what is below all of them has made them.
    const shared = this.before === undefined ? [] : common(this.before, frames)
    this.before = frames
    return shared.length === 0 ? { confidence: "None", frames: [] } : { confidence: "Sure", frames: shared }
  }
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
    return await enabled(session, clock)
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
