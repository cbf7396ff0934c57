/**
 * Lets the process exit although a thread is stuck in native code.
 *
 * Before the process exits, Node terminates all threads and waits for each. One in native
 * code ends when its call returns. Until then, `process.exit` does not return, and neither
 * the end of the event loop nor an uncaught error ends the process. `execve` does
 * end it: the system ends all threads and replaces the program by another, here a
 * shell that only exits with the code. Where that is refused, the guard terminates the
 * threads itself and checks whether they have ended: then Node's own exit waits for no thread.
 *
 * The guard does so only when a thread may block the exit, as the last step of every way
 * to exit. All other exits are Node's own, which also run the cleanup of native addons.
 */
import { accessSync, constants, writeSync } from "node:fs"
import { isatty } from "node:tty"
import { inspect } from "node:util"
import { isMainThread } from "node:worker_threads"

// -----------------------------------------------------------------------------
// Threads that can block the exit
// -----------------------------------------------------------------------------

/** A thread that can block the exit. */
export interface Watched {
  /** Whether it may be in native code. */
  readonly mayBlock: () => boolean
  readonly terminate: () => void
  /** Whether it is known to have ended, without a turn of the event loop. */
  readonly hasEnded: () => boolean
}

const threads = new Set<Watched>()

/** Checks the thread at an exit; returns a function that removes it, to be called when it has ended. */
export const watch = (thread: Watched): () => void => {
  threads.add(thread)
  return () => threads.delete(thread)
}

/**
 * Whether the exit could wait for ever. A native call cannot be told from
 * JavaScript, so every thread counts that runs user code: a task, or a
 * module that it loads, or that is terminated and has not ended. An idle thread does not count, because
 * it is in its event loop, where Node ends it. Counting a thread that is only in JavaScript
 * is harmless: the one cost is that native addons are not cleaned up.
 */
const isHeld = (): boolean => {
  for (const { mayBlock } of threads) if (mayBlock()) return true
  return false
}

// -----------------------------------------------------------------------------
// Ways to exit
// -----------------------------------------------------------------------------

let armed = false

/** Node's own exit: terminates all threads, waits for them, and exits. */
let exitOfNode: (code?: number) => never

export const isArmed = (): boolean => armed

/** From now on, no thread blocks the exit. Only a process can be replaced: has no effect in a worker thread. */
export const arm = (): void => {
  if (armed || !isMainThread) return
  armed = true
  process.prependListener("exit", onExit)
  process.on("uncaughtExceptionMonitor", onUncaught)
  // `process.exit` within an exit listener gets here, and calls no further listener. Not
  // documented, but designed to be replaced: Node's `process.exit` looks it up on each call.
  const { reallyExit } = process as unknown as { reallyExit: (code?: number) => never }
  exitOfNode = reallyExit.bind(process)
  const guarded = (code?: number): never => {
    if (isHeld()) leave(code)
    return exitOfNode(code)
  }
  Object.assign(process, { reallyExit: guarded })
}

/** The error that ends the process, if any. Node prints it after the exit listeners, when the process is already replaced. */
let uncaught: { readonly error: unknown } | undefined

const onUncaught = (error: unknown): void => {
  if (process.listenerCount("uncaughtException") > 0 || process.hasUncaughtExceptionCaptureCallback()) return
  uncaught = { error }
}

/**
 * The guard must run after all other listeners, but listeners can be added at any time. So it
 * is one of the first, and calls the later ones itself. Each is still called once,
 * because the emitter never continues.
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
    // stderr is closed.
  }
}

// -----------------------------------------------------------------------------
// Leaving
// -----------------------------------------------------------------------------

/** Ends the process; does not return. */
const leave = (code: number | string | null | undefined): never => {
  restoreStreams()
  // The system keeps only these bits of an exit code.
  const status = Number(code ?? 0) & 255
  replace(successor(status))
  if (endThreads()) exitOfNode(status)
  // The exit code is lost, but the process ends: with 137 to a shell, 1 on Windows.
  process.kill(process.pid, "SIGKILL")
  throw new Error("The process survived SIGKILL")
}

/** Replaces the process; returns only if that is refused. */
const replace = ([file, args, env]: Image): void => {
  try {
    // Missing on Windows. Its warning that it is experimental would come in the next tick, which never comes.
    process.execve?.(file, args, env)
  } catch {
    // Forbidden, for example by the permission model.
  }
}

/** How long the termination of the threads may take. Arbitrary: a thread in JavaScript takes milliseconds. */
const endMillis = 1000

/** Terminates the threads that may block the exit, and returns whether all of them have ended. */
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

/** A program that only exits with that code. Node aborts if it cannot be started, so it must exist. */
const successor = (status: number): Image => {
  const shell = "/bin/sh"
  try {
    accessSync(shell, constants.X_OK)
    // Without variables, which could make the shell run something first.
    return [shell, ["sh", "-c", `exit ${status}`], {}]
  } catch {
    // A system without a shell still has Node. It may need its variables to start, but no `--import`.
    const { NODE_OPTIONS: _, ...env } = process.env
    return [process.execPath, [process.execPath, "--eval", `process.exit(${status})`], env]
  }
}

/**
 * Restores the streams, as Node does at its own exit: otherwise a terminal would stay without echo, and a pipe would
 * remain non-blocking for other programs that share it, such as the next in a shell script.
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
