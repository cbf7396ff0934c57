/**
 * The watchdog's thread. It checks the heartbeat of the program's thread every period, and reports
 * stalls that have ended. It announces one that lasts on stderr itself, because the program cannot log.
 */
import { writeSync } from "node:fs"
import { Session } from "node:inspector"
import { parentPort, workerData } from "node:worker_threads"
import { type Captured, type Capturing, InspectorCapturing, warmUp } from "./capture.ts"
import type { RawFrame } from "./frames.ts"
import { announcement } from "./messages.ts"
import { Observer } from "./observer.ts"
import { openProcessor, openProcessorNow, threadFolder } from "./processor.ts"
import { type Sampler, SamplerCapturing } from "./sampler.ts"
import { type FromWatchdog, Heartbeat, now, periodOf, type ToWatchdog, type WatchdogStart } from "./shared.ts"
import { SourceMaps } from "./sourceMaps.ts"

const port = parentPort!
const { announceMillis, capture, directory, memory, threadFolder: programFolder, thresholdMillis } =
  workerData as WatchdogStart
const heartbeat = new Heartbeat(memory)
const periodMillis = periodOf(thresholdMillis)
const urls = new Map<string, string>()
const sourceMaps = new SourceMaps(urls, directory)

// Keeps this thread alive: pending inspector commands do not.
port.ref()

const sampler = typeof capture === "object"
  ? (await import(capture.module) as { readonly sample: Sampler }).sample
  : undefined

const program = openProcessorNow(programFolder, now)
// Waits of this thread alone say nothing.
const own = openProcessor(programFolder === undefined ? undefined : threadFolder())

const frames = (captured: ReadonlyArray<RawFrame>) => captured.map((frame) => sourceMaps.frame(frame))

const connect = (): Session => {
  const session = new Session()
  session.connectToMainThread()
  return session
}

/** This thread has no fibers. */
const after = (millis: number, callback: () => void): NodeJS.Timeout =>
  // @effect-diagnostics-next-line globalTimers:off
  setTimeout(callback, millis)

const capturing = (): Capturing | undefined => {
  if (sampler !== undefined) return new SamplerCapturing(sampler)
  if (capture !== "inspector") return undefined
  return new InspectorCapturing({
    connect,
    now,
    beats: () => heartbeat.last.beats,
    program: program.read,
    own: own.read,
    after
  }, urls)
}

/** The expected cost of a capture, before there was one. */
const warmMillis = capture === "inspector" && !heartbeat.last.debugged ? await warmUp(connect) : 0

const send = (message: FromWatchdog): void => port.postMessage(message)

const announce = (millis: number, captured: Captured | undefined): void => {
  const known = frames(captured?.frames ?? [])
  try {
    writeSync(2, `${announcement(millis, known)}\n`)
  } catch {
    // Stderr is closed: there is nowhere else to write.
  }
}

const observer = new Observer({
  now,
  lastBeat: () => heartbeat.last,
  beatAt: () => heartbeat.beatAt,
  takeGap: () => heartbeat.takeGap(),
  waitedMillis: () => Math.max(0, program.read().waitedMillis - heartbeat.waitedMillis),
  ownBusyMillis: () => {
    const { ranMillis, waitedMillis } = own.read()
    return ranMillis + waitedMillis
  },
  expectedCaptureMillis: () => warmMillis,
  capturing,
  announce,
  report: ({ frames: raw, ...seen }) => send({ _tag: "Stall", stall: { ...seen, frames: frames(raw) } })
}, { periodMillis, thresholdMillis, announceMillis })

let timer: NodeJS.Timeout | undefined
const look = (): void => {
  const delay = observer.tick()
  timer = after(delay, look)
}
look()

const onMessage = (message: ToWatchdog): void => {
  if (message._tag !== "Close") return
  // The program sends a heartbeat before this message: a stall has ended with it.
  observer.tick()
  clearTimeout(timer)
  if (!observer.isEnding) return close()
  after(closingMillis, close)
}

/** How long closing waits for a capture that is under way. Arbitrary: the program is in its event loop, and answers at once. */
const closingMillis = 200

const close = (): void => {
  observer.close()
  program.close()
  own.close()
  send({ _tag: "Closed" })
  port.close()
}

port.on("message", onMessage)
send({ _tag: "Ready" })
