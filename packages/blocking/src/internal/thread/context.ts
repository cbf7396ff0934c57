/**
 * What one JavaScript thread knows of tasks: the bodies registered in it and,
 * in a pool thread, the run it is busy with.
 *
 * It hangs on `globalThis` under a registered symbol, because two copies of this
 * package can meet in one thread (the program's and the platform package's).
 *
 * Pool threads load this file: it imports nothing at run time.
 */
import type { BodyContext } from "../../ThreadRunner.ts"
import type { TaskSchemas } from "../wire/codec.ts"

/** A body as `Task.make` registered it. */
export interface Registration {
  readonly body: (...args: ReadonlyArray<never>) => unknown
  /** The `Task.schema` schemas, opaque here: only `codec.ts` loads `effect/Schema`. */
  readonly schemas: TaskSchemas | undefined
}

export interface ThreadContext extends BodyContext {
  /** module url, then task name */
  readonly modules: Map<string, Map<string, Registration>>
  /** Throws for what cannot be sent from this thread. */
  clone: (value: unknown) => unknown
  /** What the module now being evaluated has registered; emptied when its job ends. */
  readonly evaluating: Set<string>
  /** Sequence number of the running body, 0 for none. */
  current: number
  /** What the running body has marked by `Task.move`. */
  moved: Set<object> | undefined
}

declare const structuredClone: (value: unknown) => unknown
declare const queueMicrotask: (callback: () => void) => void

const key = Symbol.for("effect-blocking/ThreadContext")

const slot = globalThis as { [key]?: ThreadContext }

export const threadContext: ThreadContext = slot[key] ??= {
  modules: new Map(),
  clone: structuredClone,
  evaluating: new Set(),
  control: undefined,
  refresh: undefined,
  current: 0,
  moved: undefined,
  threadData: undefined,
  locals: new Map(),
  releases: []
}

/** Calls a function in the context of one of several threads that share a JavaScript thread, in the run with that sequence number. */
export const within = <A>(own: BodyContext, sequence: number, f: () => A): A => {
  const { control, current, locals, refresh, releases, threadData } = threadContext
  Object.assign(threadContext, own, { current: sequence })
  try {
    return f()
  } finally {
    Object.assign(threadContext, { control, current, locals, refresh, releases, threadData })
  }
}

/**
 * Registers a body and answers whether the name was free.
 *
 * A module is evaluated once in a pool thread, so there a second registration is
 * always a duplicate. Elsewhere a module can be evaluated again (hot reload, a
 * test runner), which replaces its bodies; only a second registration in the same
 * evaluation is a duplicate.
 */
export const register = (module: string, name: string, registration: Registration): boolean => {
  const { control, evaluating, modules } = threadContext
  let tasks = modules.get(module)
  if (tasks === undefined) modules.set(module, tasks = new Map())
  const id = `${module}\n${name}`
  if (evaluating.has(id) || (control !== undefined && tasks.has(name))) return false
  if (evaluating.size === 0) queueMicrotask(() => evaluating.clear())
  evaluating.add(id)
  tasks.set(name, registration)
  return true
}
