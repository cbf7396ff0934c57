/** Which frames of a stack say who holds the program, and whether they can be believed. */
import type { Frame } from "../../Watchdog.ts"

/** A frame as the inspector gives it, with the function that it is in. */
export interface RawFrame {
  readonly name: string
  readonly url: string
  /** Counted from 0, as V8 does. */
  readonly line: number
  readonly column: number
  /** The same for two frames of one function. */
  readonly functionKey: string
  readonly scriptId: string
}

/** Whether a frame is of Node itself. */
export const isOfNode = (url: string): boolean => url.startsWith("node:") || url === ""

/** Whether a frame is of a package that the program has installed. */
export const isOfPackage = (url: string): boolean => /[\\/]node_modules[\\/]/.test(url)

/** Whether a frame is the program's own. */
export const isOwn = ({ url }: { readonly url: string }): boolean => !isOfNode(url) && !isOfPackage(url)

/**
 * Whether a stack that was taken when a native call had returned names who has made it.
 *
 * The program stops where it next looks for interrupts, which is mostly at the entry of the next function that it calls:
 * the first frame is not the culprit. Those below were entered before. If the first of them is a function of Node
 * that blocks by its name (`scryptSync`, `readFileSync`), it has made the call, and the line from which it was called is
 * right. If it is anything else, who has made the call may have returned to it (as after `JSON.parse`): any name could
 * be a wrong one.
 */
export const isBlockingCall = (frames: ReadonlyArray<{ readonly name: string; readonly url: string }>): boolean => {
  for (const { name, url } of frames.slice(1)) {
    if (!isOfNode(url)) return false
    if (name.endsWith("Sync")) return true
  }
  return false
}

/**
 * Of two looks at the stack in one stall: the second, from the first of the program's own functions that is on both.
 * What is above it comes and goes. None if there is no such function.
 */
export const common = (
  before: ReadonlyArray<RawFrame>,
  after: ReadonlyArray<RawFrame>
): ReadonlyArray<RawFrame> => {
  const keys = new Set(before.map(({ functionKey }) => functionKey))
  const site = after.findIndex((frame) => isOwn(frame) && keys.has(frame.functionKey))
  if (site < 0) return []
  // With what it has called that is on both as well.
  const from = after.findIndex(({ functionKey }) => keys.has(functionKey))
  return after.slice(from)
}

/** The frame to look at: the first that is the program's own, or of a package, or any. */
export const siteOf = (frames: ReadonlyArray<Frame>): Frame | undefined =>
  frames.find(({ kind }) => kind === "Program") ?? frames.find(({ kind }) => kind === "Package") ?? frames[0]
