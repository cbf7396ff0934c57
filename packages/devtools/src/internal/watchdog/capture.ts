/** Takes the stack of the program's thread, from another thread, through Node's inspector. */
import type { Debugger, Runtime, Session } from "node:inspector"
import { common, isBlockingCall, isOwn, type RawFrame } from "./frames.ts"
import type { Processor } from "./processor.ts"
import { elapsed, markName, type Moment, momentName } from "./shared.ts"

export interface Captured {
  /** Empty if the stack does not show which code blocked the event loop. */
  readonly frames: ReadonlyArray<RawFrame>
  /** Whether the stack was taken only after a native call had returned. */
  readonly isLate: boolean
  /** By how much the capture has lengthened the stall, without waits for a processor. */
  readonly costMillis: number
}

/** A connection to the program's thread, for one stall. */
export interface Capturing {
  /** Asks the program's thread for a quick answer, which it gives at once only from JavaScript. Called repeatedly before `take`. */
  readonly probe: () => void
  /** Whether this is a good moment: the program answers at once, or not at all. In between, the stack may not name the culprit. */
  readonly isClear: () => boolean
  /**
   * Calls back once, when there is a stack; never after `close`. `stalledMillis` is called while the program is paused:
   * the length of the stall so far, or 0 if the program turns out not to be blocked.
   */
  readonly take: (stalledMillis: () => number, onTaken: (captured: Captured) => void) => void
  readonly close: () => void
}

export interface InspectorPort {
  /** Opens a session with the program's thread. */
  readonly connect: () => Session
  /** Milliseconds on a clock that is the same in all threads. */
  readonly now: () => number
  /** How many heartbeats there have been. */
  readonly beats: () => number
  /** The times of the program's thread, and of this one. */
  readonly program: () => Processor
  readonly own: () => Processor
  /** Calls back after that many milliseconds. */
  readonly after: (millis: number, callback: () => void) => void
}

/**
 * A slower answer has waited for a native call to return. Measured: JavaScript answers within 0.6 ms, on a busy machine
 * within 2 (waits for a processor are subtracted).
 */
const promptMillis = 3

/** How long the program runs between the two stacks of a capture. Arbitrary: if the stall was over at the first, the heartbeat comes before the second. */
const betweenMillis = 2

/** The program's own time: this thread may receive the answer much later on a busy machine. */
const momentExpression = `globalThis[Symbol.for(${JSON.stringify(momentName)})]?.()`

/** Asks the program's thread for its time. Without that function the answer is NaN, which is never prompt. */
const ask = (session: Session, onAnswer: (moment: Moment) => void): void =>
  session.post("Runtime.evaluate", { expression: momentExpression, returnByValue: true, silent: true }, (_, answer) => {
    onAnswer((answer as Runtime.EvaluateReturnType | undefined)?.result.value ?? { now: NaN, waitedMillis: 0 })
  })

/** Posts the command, and measures how long the program's thread takes to execute it. */
const timed = (
  session: Session,
  command: "Debugger.enable" | "Debugger.disable",
  onDone: (millis: number, from: Moment, to: Moment) => void
): void => {
  let from: Moment
  ask(session, (moment) => {
    from = moment
  })
  session.post(command)
  ask(session, (to) => onDone(elapsed(from, to) || 0, from, to))
}

/**
 * Uses one session. The stack is taken twice. Only functions on both stacks blocked the event loop in between: code
 * that runs right after the end of a stall is not reported for it.
 */
export class InspectorCapturing implements Capturing {
  private readonly port: InspectorPort
  private readonly sourceMapUrls: Map<string, string>
  private session: Session | undefined
  private isProbing = false
  /** Whether the last answer was prompt. */
  private isPrompt = false

  /** `sourceMapUrls` collects the source map addresses of scripts, by script id. */
  constructor(port: InspectorPort, sourceMapUrls: Map<string, string>) {
    this.port = port
    this.sourceMapUrls = sourceMapUrls
  }

  isClear(): boolean {
    return this.isPrompt || this.isProbing
  }

  probe(): void {
    if (this.isProbing) {
      this.isPrompt = false
      return
    }
    this.isProbing = true
    const asked = this.moment()
    ask(this.connected(), (answered) => {
      this.isProbing = false
      this.isPrompt = elapsed(asked, answered) <= promptMillis
    })
  }

  close(): void {
    // The process would wait at its exit for a session that is still connected.
    this.session?.disconnect()
    this.session = undefined
  }

  private connected(): Session {
    return this.session ??= this.port.connect()
  }

  /** Now, with the program's waits so far. */
  private moment(): Moment {
    return { now: this.port.now(), waitedMillis: this.port.program().waitedMillis }
  }

  take(stalledMillis: () => number, onTaken: (captured: Captured) => void): void {
    const { port } = this
    const session = this.connected()
    const beats = port.beats()
    const urls = new Map<string, string>()
    const asked = this.moment()
    const ownWaited = port.own().waitedMillis
    let isLate = true
    let isDone = false
    let costMillis = 0
    let first: ReadonlyArray<RawFrame> | undefined
    let progress = (): number => 0

    const finish = (frames: ReadonlyArray<RawFrame>): void => {
      isDone = true
      timed(session, "Debugger.disable", (millis) => {
        session.off("Debugger.scriptParsed", onScript)
        session.off("Debugger.paused", onPaused)
        session.off("Debugger.resumed", onResumed)
        if (this.session !== session) return
        if (frames.length > 0) this.close()
        onTaken({ frames, isLate, costMillis: costMillis + millis })
      })
    }
    const onScript = ({ params }: { readonly params: Debugger.ScriptParsedEventDataType }): void => {
      urls.set(params.scriptId, params.url)
      if (params.sourceMapURL) this.sourceMapUrls.set(params.scriptId, params.sourceMapURL)
    }
    const onPaused = ({ params }: { readonly params: Debugger.PausedEventDataType }): void => {
      if (isDone) return session.post("Debugger.resume")
      const frames = params.callFrames.map((frame) => rawFrame(frame, urls))
      let result: ReadonlyArray<RawFrame> | undefined
      if (isLate && isBlockingCall(frames)) result = frames.slice(1)
      else if (first !== undefined && progress() >= betweenMillis) result = onBoth(first, frames, isLate)
      if (result !== undefined && result.length > 0) {
        const millis = stalledMillis()
        if (millis > 0) this.mark(session, millis, result)
        else result = []
      }
      session.post("Debugger.resume")
      if (result !== undefined) return finish(result)
      if (first !== undefined) return
      first = frames
      progress = this.progress()
    }
    // Only now: V8 ignores a request to pause while it is paused, and a program that waits for a processor stays paused.
    const onResumed = (): void => {
      if (isDone) return
      port.after(betweenMillis, () => {
        if (this.session !== session) return
        if (port.beats() !== beats) return finish([])
        session.post("Debugger.pause")
      })
    }
    session.on("Debugger.scriptParsed", onScript)
    session.on("Debugger.paused", onPaused)
    session.on("Debugger.resumed", onResumed)
    timed(session, "Debugger.enable", (millis, from, to) => {
      // The answer to an earlier probe has arrived before.
      isLate = !(this.isPrompt && elapsed(asked, from) <= promptMillis)
      // The program stays paused until this thread has received all its scripts.
      const behindMillis = port.now() - to.now - (port.own().waitedMillis - ownWaited)
      costMillis = millis + Math.max(0, behindMillis || 0)
    })
    session.post("Debugger.pause")
  }

  /**
   * Measures from now on how long the program has run or was in a blocking call. Waits of both threads can overlap, so
   * the result is a lower bound. Called while the program is paused: then its times are exact.
   */
  private progress(): () => number {
    const { port } = this
    const now = port.now()
    const program = port.program()
    const own = port.own()
    return () => {
      const { ranMillis, waitedMillis } = port.program()
      const waited = waitedMillis - program.waitedMillis + (port.own().waitedMillis - own.waitedMillis)
      return Math.max(ranMillis - program.ranMillis, port.now() - now - waited)
    }
  }

  /** Adds an event to the span of the current fiber. The fiber is known only now; soon it may have ended. */
  private mark(session: Session, stalledMillis: number, frames: ReadonlyArray<RawFrame>): void {
    const site = frames.find(isOwn) ?? frames[0]!
    const parameters = [stalledMillis, `${site.url}:${site.line + 1}:${site.column + 1}`]
    // Not in a call frame: globals are not visible from those of Node itself.
    session.post("Runtime.evaluate", {
      expression: `globalThis[Symbol.for(${JSON.stringify(markName)})]?.(...${JSON.stringify(parameters)})`,
      silent: true
    })
  }
}

/** Of two stacks of one stall: the second, from the innermost function that is on both. */
const onBoth = (
  first: ReadonlyArray<RawFrame>,
  second: ReadonlyArray<RawFrame>,
  isLate: boolean
): ReadonlyArray<RawFrame> => {
  // After a native call the innermost function has only just been entered.
  const skipped = isLate ? 1 : 0
  return common(first.slice(skipped), second.slice(skipped))
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
 * Has the inspector read the program's scripts, and returns the expected cost of a capture. The first read takes several
 * times as long as later ones: without it, the first capture would need a stall that is as much longer.
 */
export const warmUp = async (connect: () => Session): Promise<number> => {
  const session = connect()
  try {
    await enabledOnce(session)
    // The garbage collector may run in one of them.
    return Math.min(await enabledOnce(session), await enabledOnce(session))
  } finally {
    session.disconnect()
  }
}

const enabledOnce = (session: Session): Promise<number> =>
  new Promise((resolve) => {
    timed(session, "Debugger.enable", (enabling) => {
      timed(session, "Debugger.disable", (disabling) => resolve(enabling + disabling))
    })
  })
