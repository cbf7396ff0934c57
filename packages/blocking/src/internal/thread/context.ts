/**
 * The task context of one JavaScript thread: the bodies registered in it and,
 * in a pool thread, the current run.
 *
 * It is stored on `globalThis` under a registered symbol, because two copies of this
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

/** The kind of body: returns one result, yields elements, takes elements, or both. */
export type TaskKind = "call" | "stream" | "sink" | "pipe"

export interface ThreadContext extends BodyContext {
  /** The version of the copy that has made it. */
  readonly version: Version.Version
  /** Whether a pool has started this thread: known before its loop runs. */
  readonly startedByPool: boolean
  /** module url, then task name */
  readonly modules: Map<string, Map<string, Registration>>
  /** Throws for a value that cannot be sent from this thread. */
  clone: (value: unknown) => unknown
  /** Names that the module now being evaluated has registered; emptied when its job ends. */
  readonly evaluating: Set<string>
  /** Sequence number of the running body, 0 for none. */
  current: number
  /** How many bodies run in place, called as `task.body`: values that they mark are not moved. */
  inPlace: number
  /** Values that the running body has marked by `Task.move`. */
  moved: WeakSet<object> | undefined
  /** The number of the attempt that the running body is. */
  attempt: number
}

declare const structuredClone: (value: unknown) => unknown
declare const queueMicrotask: (callback: () => void) => void

/**
 * How a platform marks the threads and processes of a pool: a field of `workerData`, or the
 * first argument of the process. Modules that Node preloads run before the thread's entry, so
 * the entry could not inform them. Threads and processes that a task starts do not inherit the mark.
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

/** Why this copy cannot work in this thread: a copy of another version was loaded first. */
export const conflict: string | undefined = Version.conflict(Version.current, threadContext.version)

type Swapped = Pick<
  ThreadContext,
  "caller" | "control" | "current" | "locals" | "moved" | "refresh" | "releases" | "threadData"
>

/** The fields that belong to one pool thread, if several share a JavaScript thread. */
const swapped = (): Swapped => {
  const { caller, control, current, locals, moved, refresh, releases, threadData } = threadContext
  return { caller, control, current, locals, moved, refresh, releases, threadData }
}

/** The fields of the JavaScript thread itself, during a call `within` a pool thread that shares it. */
let outer: Swapped | undefined

/** Calls a function in the context of one of several pool threads that share a JavaScript thread, in the run with that sequence number. */
export const within = <A>(own: BodyContext, sequence: number, f: () => A): A => {
  const before = swapped()
  const outermost = outer === undefined
  if (outermost) outer = before
  Object.assign(threadContext, own, { current: sequence })
  try {
    return f()
  } finally {
    // The runner takes the values that a body has marked to be moved.
    const { moved } = threadContext
    Object.assign(threadContext, before, { moved })
    if (outermost) outer = undefined
  }
}

/** Calls a function in the context of the JavaScript thread itself, during a call `within` a pool thread. */
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
 * Registers a body and returns whether the name was free.
 *
 * A module that is loaded again after a failure has a mark in its url: its tasks are
 * registered under the original url.
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

/** Suffix of a url, followed by a number, to load a module again that Node has cached as failed. */
export const retryMark = "effect-blocking-retry="

/** The url of a module without that suffix. */
export const withoutRetry = (url: string): string => {
  const at = url.lastIndexOf(retryMark)
  return at < 0 ? url : url.slice(0, at - 1)
}
