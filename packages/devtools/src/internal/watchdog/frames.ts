/** Which frames of a stack show the code that blocks the event loop, and when they can be trusted. */
import type { Frame } from "../../Watchdog.ts"

/** A frame as the inspector returns it. */
export interface RawFrame {
  readonly name: string
  readonly url: string
  /** From 0, as in V8. */
  readonly line: number
  readonly column: number
  /** Equal for two frames of the same function. */
  readonly functionKey: string
  readonly scriptId: string
}

/** Whether a frame belongs to Node itself. */
export const isOfNode = (url: string): boolean => url.startsWith("node:") || url === ""

/** Whether a frame belongs to an installed package. */
export const isOfPackage = (url: string): boolean => /[\\/]node_modules[\\/]/.test(url)

/** Whether a frame belongs to the program's own code. */
export const isOwn = ({ url }: { readonly url: string }): boolean => !isOfNode(url) && !isOfPackage(url)

/**
 * Whether a stack that was taken after a native call shows the function that made the call.
 *
 * The program pauses at its next interrupt check, mostly at the entry of the next function that it calls: the
 * innermost frame is not the culprit. The frames below were entered earlier. If the next one is a blocking function of
 * Node by its name (`scryptSync`, `readFileSync`), it made the call, and the line that called it is right. If it is
 * any other function, the caller may have returned to it (as after `JSON.parse`): its name could be wrong.
 */
export const isBlockingCall = (frames: ReadonlyArray<{ readonly name: string; readonly url: string }>): boolean => {
  for (const { name, url } of frames.slice(1)) {
    if (!isOfNode(url)) return false
    if (name.endsWith("Sync")) return true
  }
  return false
}

/**
 * The part of the second of two stacks that is on both, from its innermost frame. The frames above it come and go. Empty
 * unless one of them is the program's own.
 */
export const common = (
  before: ReadonlyArray<RawFrame>,
  after: ReadonlyArray<RawFrame>
): ReadonlyArray<RawFrame> => {
  const keys = new Set(before.map(({ functionKey }) => functionKey))
  const site = after.findIndex((frame) => isOwn(frame) && keys.has(frame.functionKey))
  if (site < 0) return []
  const from = after.findIndex(({ functionKey }) => keys.has(functionKey))
  return after.slice(from)
}

/** The frame that is named: the innermost of the program's own, otherwise of a package, otherwise any. */
export const siteOf = (frames: ReadonlyArray<Frame>): Frame | undefined =>
  frames.find(({ kind }) => kind === "Program") ?? frames.find(({ kind }) => kind === "Package") ?? frames[0]
