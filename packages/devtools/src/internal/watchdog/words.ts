/** What is said of a stall. */
import type { Frame, Stall } from "../../Watchdog.ts"
import { siteOf } from "./frames.ts"

/** A function and where it is. */
export const place = ({ column, line, name, path }: Frame): string =>
  `${name === "" ? "an anonymous function" : name} (${path}:${line}:${column})`

/** Who holds the event loop: the program's own function, and what it has called that is not its own. */
const culprit = (frames: ReadonlyArray<Frame>): string | undefined => {
  const site = siteOf(frames)
  if (site === undefined) return undefined
  // What was called last that people know by its name.
  const called = frames.slice(0, frames.indexOf(site)).findLast(({ name }) => name !== "")
  return called === undefined ? place(site) : `${place(site)}, in ${called.name} of ${packageOf(called)}`
}

const packageOf = ({ path, url }: Frame): string => {
  if (url.startsWith("node:")) return url.replace(/^node:internal\/([^/]+).*/, "node:$1")
  return /.*[\\/]node_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/]+)/.exec(path)?.[1] ?? path
}

const duration = (millis: number): string =>
  millis < 1000 ? `${Math.round(millis)} ms` : `${(millis / 1000).toFixed(2)} s`

/** One line, written while the event loop is held. */
export const announcement = (millis: number, frames: ReadonlyArray<Frame>): string => {
  const by = culprit(frames)
  return `effect-blocking: the event loop has been held for ${duration(millis)}, and still is: by ` +
    (by ?? "one native call, or code of which no stack was taken yet")
}

/** One line, and the stack below it. */
export const message = (stall: Stall, more: number): string => {
  const { advice, frames, millis, stack } = stall
  const by = culprit(frames)
  const held = `The event loop was held for ${duration(millis)} by `
  const repeated = more === 0 ? "" : ` (and ${more} ${more === 1 ? "time" : "times"} more since this was last logged)`
  switch (stack) {
    case "NotTaken":
      return `${held}code of which no stack was taken${repeated}: it was too short for that. ${advice}`
    case "Unknown":
      return `${held}a native call that had returned before its stack could be taken${repeated}: such as JSON.parse, ` +
        `Array.prototype.sort, a query of node:sqlite, or a garbage collection. ${advice}`
    default:
      return `${held}${by}${repeated}${stack === "After" ? "; the stack was taken when the call returned" : ""}. ` +
        advice + relevant(frames).map((frame) => `\n    at ${place(frame)}`).join("")
  }
}

/** Without what is below the last frame of the program: its caller is the runtime, or Node. */
const relevant = (frames: ReadonlyArray<Frame>): ReadonlyArray<Frame> => {
  const last = frames.findLastIndex(({ kind }) => kind === "Program")
  return last < 0 ? frames : frames.slice(0, last + 1)
}

/** What to do, given the names of the tasks that the culprit's module defines. */
export const adviceFor = (frames: ReadonlyArray<Frame>, tasks: ReadonlyArray<string>): string => {
  const site = siteOf(frames)
  if (site === undefined) return "What takes so long belongs on a pool: make it a task, and run it with Blocking.run"
  const name = site.name.split(".").at(-1)!
  if (tasks.includes(name)) return `It is a task: run it with Blocking.run(${name}, …)`
  if (tasks.length > 0) {
    return `Its module defines ${tasks.length === 1 ? "the task" : "the tasks"} ${
      tasks.join(", ")
    }: run that on a pool, ` +
      "with Blocking.run, or make it a task as well"
  }
  const called = /^[\w$]+$/.test(name) ? name : "work"
  return `Run it on a pool: export const task = Task.make(import.meta.url, "${called}", …), and Blocking.run(task, …)`
}
