/**
 * What one JavaScript thread knows of tasks: the bodies registered in it and,
 * in a pool thread, the run it is busy with.
 *
 * It hangs on `globalThis` under a registered symbol, because two copies of this
 * package can meet in one thread (the program's and the platform package's).
 *
 * Pool threads load this file: it imports nothing at run time but the version.
 */
import type { BodyContext } from "../../ThreadRunner.ts"
import type { TaskSchemas } from "../wire/codec.ts"
import * as Version from "../wire/version.ts"

/** A body as `Task.make` registered it. */
export interface Registration {
  readonly body: (...args: ReadonlyArray<never>) => unknown
  /** The `Task.schema` schemas, opaque here: only `codec.ts` loads `effect/Schema`. */
  readonly schemas: TaskSchemas | undefined
  readonly kind: TaskKind
}

/** What a body does: gives one result, yields elements, takes elements, or both. */
export type TaskKind = "call" | "stream" | "sink" | "pipe"

export interface ThreadContext extends BodyContext {
  /** Of the copy that has made it. */
  readonly version: Version.Version
  /** Whether a pool has started this thread: known before its loop runs. */
  readonly startedByPool: boolean
  /** module url, then task name */
  readonly modules: Map<string, Map<string, Registration>>
  /** Throws for what cannot be sent from this thread. */
  clone: (value: unknown) => unknown
  /** What the module now being evaluated has registered; emptied when its job ends. */
  readonly evaluating: Set<string>
  /** Sequence number of the running body, 0 for none. */
  current: number
  /** How many bodies run where they were called, as `task.body`: what they move goes nowhere. */
  inPlace: number
  /** What the running body has marked by `Task.move`. */
  moved: WeakSet<object> | undefined
  /** Which attempt the running body is. */
  attempt: number
}

declare const structuredClone: (value: unknown) => unknown
declare const queueMicrotask: (callback: () => void) => void

/**
 * How a platform marks the threads and processes of a pool: a field of `workerData`, or the
 * first argument of the process. Modules that Node preloads run before the thread's entry, so
 * nothing that the entry does could tell them. Neither is inherited by what a task starts.
 */
export const poolThreadMark = "effect-blocking-pool-thread"

const startedByPool = (): boolean => {
  const { process } = globalThis as { readonly process?: Process }
  if (typeof process?.getBuiltinModule !== "function") return false
  const { isMainThread, workerData } = process.getBuiltinModule("node:worker_threads")
  return isMainThread
    ? process.argv[2] === poolThreadMark
    : typeof workerData === "object" && workerData !== null && poolThreadMark in workerData
}

interface Process {
  readonly argv: ReadonlyArray<string>
  readonly getBuiltinModule?: (name: "node:worker_threads") => {
    readonly isMainThread: boolean
    readonly workerData: unknown
  }
}

const key = Symbol.for("effect-blocking/ThreadContext")

const slot = globalThis as { [key]?: ThreadContext }

export const threadContext: ThreadContext = slot[key] ??= {
  version: Version.current,
  startedByPool: startedByPool(),
  modules: new Map(),
  clone: structuredClone,
  evaluating: new Set(),
  control: undefined,
  refresh: undefined,
  caller: undefined,
  current: 0,
  inPlace: 0,
  moved: undefined,
  attempt: 1,
  threadData: undefined,
  locals: new Map(),
  releases: []
}

/** Why this copy cannot work in this thread: one of another version has come first. */
export const conflict: string | undefined = Version.conflict(Version.current, threadContext.version)

type Swapped = Pick<
  ThreadContext,
  "caller" | "control" | "current" | "locals" | "moved" | "refresh" | "releases" | "threadData"
>

/** What belongs to one thread, if several share a JavaScript thread. */
const swapped = (): Swapped => {
  const { caller, control, current, locals, moved, refresh, releases, threadData } = threadContext
  return { caller, control, current, locals, moved, refresh, releases, threadData }
}

/** Of the JavaScript thread itself, while a function is called `within` one of those that share it. */
let outer: Swapped | undefined

/** Calls a function in the context of one of several threads that share a JavaScript thread, in the run with that sequence number. */
export const within = <A>(own: BodyContext, sequence: number, f: () => A): A => {
  const before = swapped()
  const outermost = outer === undefined
  if (outermost) outer = before
  Object.assign(threadContext, own, { current: sequence })
  try {
    return f()
  } finally {
    // What a body has marked to be moved, its runner takes.
    const { moved } = threadContext
    Object.assign(threadContext, before, { moved })
    if (outermost) outer = undefined
  }
}

/** Calls a function in the context of the JavaScript thread itself, in the middle of one that is called `within` another. */
export const without = <A>(f: () => A): A => {
  if (outer === undefined) return f()
  const [before, within] = [swapped(), outer]
  outer = undefined
  Object.assign(threadContext, within)
  try {
    return f()
  } finally {
    Object.assign(threadContext, before)
    outer = within
  }
}

/**
 * Registers a body and answers whether the name was free.
 *
 * A module that is loaded again, after a failure, has a mark in its url: its tasks are
 * those of the url that was asked for.
 *
 * A module is evaluated once in a pool thread, so there a second registration is
 * always a duplicate. Elsewhere a module can be evaluated again (hot reload, a
 * test runner), which replaces its bodies; only a second registration in the same
 * evaluation is a duplicate.
 */
export const register = (url: string, name: string, registration: Registration): boolean => {
  const { control, evaluating, modules } = threadContext
  const module = withoutRetry(url)
  let tasks = modules.get(module)
  if (tasks === undefined) modules.set(module, tasks = new Map())
  const id = `${module}\n${name}`
  if (evaluating.has(id) || (control !== undefined && tasks.has(name) && module === url)) return false
  if (evaluating.size === 0) queueMicrotask(() => evaluating.clear())
  evaluating.add(id)
  tasks.set(name, registration)
  return true
}

/** What a platform puts at the end of a url, with a number, to load a module again that Node keeps as failed. */
export const retryMark = "effect-blocking-retry="

/** The url that a module was asked for by. */
export const withoutRetry = (url: string): string => {
  const at = url.lastIndexOf(retryMark)
  return at < 0 ? url : url.slice(0, at - 1)
}
