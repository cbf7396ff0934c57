/**
 * Lets the process exit although a thread sits in native code.
 *
 * Before the process exits, Node ends all threads and waits for each. One in native
 * code ends when its call returns, and until then `process.exit` does not return, nor
 * does the end of the event loop, nor an uncaught error end the process. What ends it
 * is `execve`: the system ends all threads and replaces the program by another, here a
 * shell that does nothing but exit with the code. Where that is refused, the guard ends the
 * threads itself and looks whether they are gone: then Node's own exit waits for none.
 *
 * The guard does so only when a thread may hold the exit, as the last thing of any way
 * to it. All other exits are Node's own, which also run the cleanup of native addons.
 */
import { accessSync, constants, writeSync } from "node:fs"
import { isatty } from "node:tty"
import { inspect } from "node:util"
import { isMainThread } from "node:worker_threads"

// -----------------------------------------------------------------------------
// Threads that can hold the exit
// -----------------------------------------------------------------------------

/** A thread that can hold the exit. */
export interface Watched {
  /** Whether it may be in native code. */
  readonly mayBlock: () => boolean
  readonly terminate: () => void
  /** Whether it has ended, as far as that can be seen without a turn of the event loop. */
  readonly hasEnded: () => boolean
}

const threads = new Set<Watched>()

/** Asks the thread at an exit, until it has ended and is forgotten. */
export const watch = (thread: Watched): () => void => {
  threads.add(thread)
  return () => threads.delete(thread)
}

/**
 * Whether the exit could wait for ever. That cannot be known: nothing tells a native
 * call from JavaScript. So every thread counts that is in anyone's code: in a task, in a
 * module that it loads, or terminated and not yet gone. An idle thread does not, because
 * it is in its event loop, where Node ends it. Who is counted for nothing, because it is
 * in JavaScript, costs the cleanup of native addons and no more.
 */
const isHeld = (): boolean => {
  for (const { mayBlock } of threads) if (mayBlock()) return true
  return false
}

// -----------------------------------------------------------------------------
// Ways to the exit
// -----------------------------------------------------------------------------

let armed = false

/** Ends all threads, waits for them, and exits. */
let exitOfNode: (code?: number) => never

export const isArmed = (): boolean => armed

/** From now on no thread holds the exit. Only a process can be replaced: in a thread that Node was asked to start, nothing changes. */
export const arm = (): void => {
  if (armed || !isMainThread) return
  armed = true
  process.prependListener("exit", onExit)
  process.on("uncaughtExceptionMonitor", onUncaught)
  // `process.exit` within an exit listener comes here, and to no listener any more. Not
  // documented, but made to be replaced: Node's own `process.exit` looks it up for that.
  const { reallyExit } = process as unknown as { reallyExit: (code?: number) => never }
  exitOfNode = reallyExit.bind(process)
  const guarded = (code?: number): never => {
    if (isHeld()) leave(code)
    return exitOfNode(code)
  }
  Object.assign(process, { reallyExit: guarded })
}

/** The error that ends the process, if one does. Node prints it after the exit listeners, when we are gone. */
let uncaught: { readonly error: unknown } | undefined

const onUncaught = (error: unknown): void => {
  if (process.listenerCount("uncaughtException") > 0 || process.hasUncaughtExceptionCaptureCallback()) return
  uncaught = { error }
}

/**
 * Whoever leaves must be the last listener, but others can be added at any time. So it
 * is one of the first, and calls all that follow itself: each is still called once,
 * because nobody returns to the emitter.
 */
const onExit = (code: number): void => {
  if (!isHeld()) return
  const listeners = process.rawListeners("exit")
  try {
    for (const listener of listeners.slice(listeners.indexOf(onExit) + 1)) listener.call(process, code)
  } catch (error) {
    uncaught ??= { error }
    process.exitCode ||= 1
  }
  if (uncaught !== undefined) report(uncaught.error)
  leave(process.exitCode)
}

const report = (error: unknown): void => {
  try {
    writeSync(process.stderr.fd, `Uncaught ${inspect(error)}\n\nNode.js ${process.version}\n`)
  } catch {
    // Nobody reads it.
  }
}

// -----------------------------------------------------------------------------
// Leaving
// -----------------------------------------------------------------------------

/** Ends the process; does not return. */
const leave = (code: number | string | null | undefined): never => {
  restoreStreams()
  // What the system keeps of an exit code.
  const status = Number(code ?? 0) & 255
  replace(successor(status))
  if (endThreads()) exitOfNode(status)
  // Its exit code is not ours, but it ends: 137 to a shell, 1 on Windows.
  process.kill(process.pid, "SIGKILL")
  throw new Error("The process survived SIGKILL")
}

/** Does not return, unless it is refused. */
const replace = ([file, args, env]: Image): void => {
  try {
    // Not there on Windows. Warns that it is experimental in the next tick, which does not come.
    process.execve?.(file, args, env)
  } catch {
    // Forbidden, by the permission model for one.
  }
}

/** How long threads that are ended may take. Arbitrary: one that is in JavaScript takes milliseconds. */
const endMillis = 1000

/** Ends the threads that may hold the exit, and returns whether all of them have ended. */
const endThreads = (): boolean => {
  const held = [...threads].filter(({ mayBlock }) => mayBlock())
  for (const { terminate } of held) terminate()
  const pause = new Int32Array(new SharedArrayBuffer(4))
  const start = performance.now()
  while (!held.every(({ hasEnded }) => hasEnded())) {
    if (performance.now() - start > endMillis) return false
    Atomics.wait(pause, 0, 0, 1)
  }
  return true
}

type Image = readonly [file: string, args: ReadonlyArray<string>, env: NodeJS.ProcessEnv]

/** A program that only exits with that code. Node aborts if it cannot be started, so it must be there. */
const successor = (status: number): Image => {
  const shell = "/bin/sh"
  try {
    accessSync(shell, constants.X_OK)
    // Without variables, among which a shell could find what to run first.
    return [shell, ["sh", "-c", `exit ${status}`], {}]
  } catch {
    // An image without a shell has Node at least. It may need its variables to start, but no `--import`.
    const { NODE_OPTIONS: _, ...env } = process.env
    return [process.execPath, [process.execPath, "--eval", `process.exit(${status})`], env]
  }
}

/**
 * What Node undoes at its own exit: a terminal would stay without echo, and a pipe would
 * not block the other programs that have it, such as the next in a shell script.
 */
const restoreStreams = (): void => {
  for (const name of ["stdin", "stdout", "stderr"] as const) {
    try {
      if (name === "stdin" && isatty(0) && process.stdin.isRaw) process.stdin.setRawMode(false)
      const { _handle } = process[name] as { readonly _handle?: { readonly setBlocking?: (blocking: boolean) => void } }
      _handle?.setBlocking?.(true)
    } catch {
      // It was closed.
    }
  }
}
