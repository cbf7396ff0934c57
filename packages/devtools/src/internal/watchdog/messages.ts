/** The texts of log messages and announcements. */
import type { Frame, Stall } from "../../Watchdog.ts"
import { siteOf } from "./frames.ts"

/** A function and its position. */
export const place = ({ column, line, name, path }: Frame): string =>
  `${name === "" ? "an anonymous function" : name} (${path}:${line}:${column})`

/** The program's own function that blocked the event loop, and the foreign function that it called. */
const culprit = (frames: ReadonlyArray<Frame>): string | undefined => {
  const site = siteOf(frames)
  if (site === undefined) return undefined
  // The outermost foreign function with a name: it is the one in the program's source.
  const called = frames.slice(0, frames.indexOf(site)).findLast(({ name }) => name !== "")
  return called === undefined ? place(site) : `${place(site)}, in ${called.name} of ${packageOf(called)}`
}

const packageOf = ({ path, url }: Frame): string => {
  if (url.startsWith("node:")) return url.replace(/^node:internal\/([^/]+).*/, "node:$1")
  return /.*[\\/]node_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/]+)/.exec(path)?.[1] ?? path
}

const duration = (millis: number): string =>
  millis < 1000 ? `${Math.round(millis)} ms` : `${(millis / 1000).toFixed(2)} s`

/** One line, written while the event loop is blocked. */
export const announcement = (millis: number, frames: ReadonlyArray<Frame>): string => {
  const by = culprit(frames) ?? "one native call, or code whose stack was not taken yet"
  return `effect-blocking: the event loop has been blocked for ${duration(millis)} and still is, by ${by}`
}

/** One line, and the stack below it. */
export const message = (stall: Stall, more: number): string => {
  const { advice, frames, millis, stack } = stall
  const repeated = more === 0 ? "" : ` (and ${more} more ${more === 1 ? "time" : "times"} since this was last logged)`
  const blocked = `The event loop was blocked for ${duration(millis)}`
  switch (stack) {
    case "NotTaken":
      return `${blocked}${repeated}, too short for a stack to be taken. ${advice}`
    case "Unknown":
      return `${blocked} by a native call${repeated} that returned before its stack could be taken, such as JSON.parse, ` +
        `Array.prototype.sort, a node:sqlite query, or a garbage collection. ${advice}`
    default:
      return `${blocked} by ${culprit(frames)}${repeated}${
        stack === "After" ? "; the stack was taken when the call returned" : ""
      }. ` + advice + relevant(frames).map((frame) => `\n    at ${place(frame)}`).join("")
  }
}

/** Without the callers of the program's outermost function: they are the runtime, or Node. */
const relevant = (frames: ReadonlyArray<Frame>): ReadonlyArray<Frame> => {
  const last = frames.findLastIndex(({ kind }) => kind === "Program")
  return last < 0 ? frames : frames.slice(0, last + 1)
}

/** How to mend it. `tasks`: the names of the tasks that the culprit's module defines. */
export const adviceFor = (frames: ReadonlyArray<Frame>, tasks: ReadonlyArray<string>): string => {
  const site = siteOf(frames)
  if (site === undefined) return "Slow work belongs on a pool: make it a task, and run it with Blocking.run"
  const name = site.name.split(".").at(-1)!
  if (tasks.includes(name)) return `It is a task: run it with Blocking.run(${name}, …)`
  if (tasks.length > 0) {
    const defined = `${tasks.length === 1 ? "the task" : "the tasks"} ${tasks.join(", ")}`
    return `Its module defines ${defined}: run that on a pool with Blocking.run, or make this function a task as well`
  }
  const called = /^[\w$]+$/.test(name) ? name : "work"
  return `Run it on a pool: export const task = Task.make(import.meta.url, "${called}", …), and Blocking.run(task, …)`
}
