/**
 * Lets the process exit even if a thread is in native code.
 *
 * Before the process exits, Node ends all threads and waits for each. A thread in native code
 * ends only when its call returns. Until then nothing ends the process: not `process.exit`, not
 * the end of the event loop, not an uncaught error. `execve` does: the system ends all threads
 * and replaces the program by another, here a shell that only exits with the code. Where that
 * is refused, the guard ends the threads itself. If all of them have ended, Node's own exit has
 * no thread to wait for.
 *
 * The guard does so only if a thread may hold the exit, and as the last step of the exit. All
 * other exits are Node's own, which also clean up native addons.
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
  /** Whether it has ended, as far as that is visible without returning to the event loop. */
  readonly hasEnded: () => boolean
}

const threads = new Set<Watched>()

/** Checks the thread at an exit, until the returned function is called, when it has ended. */
export const watch = (thread: Watched): () => void => {
  threads.add(thread)
  return () => threads.delete(thread)
}

/**
 * Whether a thread may hold the exit. Native calls cannot be told from JavaScript, so every
 * thread counts that runs user code: one in a task, one that loads a module, or one that is
 * terminated and has not ended yet. An idle thread does not count: it is in its event loop,
 * where Node can end it. Counting a thread that is only in JavaScript is harmless: the one cost
 * is that native addons are not cleaned up.
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

/** Installs the guard: from now on no thread holds the exit. Does nothing in a worker thread, since only a process can be replaced. */
export const arm = (): void => {
  if (armed || !isMainThread) return
  armed = true
  process.prependListener("exit", onExit)
  process.on("uncaughtExceptionMonitor", onUncaught)
  // `process.exit` within an exit listener calls this, and no further listener. It is not
  // documented, but meant to be replaced: Node's own `process.exit` looks it up for that.
  const { reallyExit } = process as unknown as { reallyExit: (code?: number) => never }
  exitOfNode = reallyExit.bind(process)
  const guarded = (code?: number): never => {
    if (isHeld()) leave(code)
    return exitOfNode(code)
  }
  Object.assign(process, { reallyExit: guarded })
}

/** The error that ends the process, if one does. Node would print it after the exit listeners, too late for a replaced process. */
let uncaught: { readonly error: unknown } | undefined

const onUncaught = (error: unknown): void => {
  if (process.listenerCount("uncaughtException") > 0 || process.hasUncaughtExceptionCaptureCallback()) return
  uncaught = { error }
}

/**
 * A listener that ends the process must be the last, but others can be added at any time. So
 * this is one of the first, and calls all that follow. Each still runs once, because control
 * never returns to the emitter.
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
  // The system keeps only the low byte of an exit code.
  const status = Number(code ?? 0) & 255
  replace(successor(status))
  if (endThreads()) exitOfNode(status)
  // The process ends, but with another exit code: 137 to a shell, 1 on Windows.
  process.kill(process.pid, "SIGKILL")
  throw new Error("The process survived SIGKILL")
}

/** Replaces the process. Returns only if that is refused. */
const replace = ([file, args, env]: Image): void => {
  try {
    // Windows does not have it. The warning that it is experimental would come in the next tick, which never runs.
    process.execve?.(file, args, env)
  } catch {
    // Forbidden, for example by the permission model.
  }
}

/** How long terminated threads may take to end. Arbitrary: a thread in JavaScript takes milliseconds. */
const endMillis = 1000

/** Terminates the threads that may hold the exit. Returns whether all of them have ended. */
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

/** A program that only exits with that code. Node aborts if it cannot start the program, so the file must exist. */
const successor = (status: number): Image => {
  const shell = "/bin/sh"
  try {
    accessSync(shell, constants.X_OK)
    // Without environment variables: one of them could name a script that the shell runs first.
    return [shell, ["sh", "-c", `exit ${status}`], {}]
  } catch {
    // A container image without a shell at least has Node. It may need its variables to start, but no `--import`.
    const { NODE_OPTIONS: _, ...env } = process.env
    return [process.execPath, [process.execPath, "--eval", `process.exit(${status})`], env]
  }
}

/**
 * Restores the standard streams, as Node does at its own exit. Otherwise a terminal would stay
 * without echo, and a pipe would stay non-blocking for other programs that share it, such as
 * the next in a shell script.
 */
const restoreStreams = (): void => {
  for (const name of ["stdin", "stdout", "stderr"] as const) {
    try {
      if (name === "stdin" && isatty(0) && process.stdin.isRaw) process.stdin.setRawMode(false)
      const { _handle } = process[name] as { readonly _handle?: { readonly setBlocking?: (blocking: boolean) => void } }
      _handle?.setBlocking?.(true)
    } catch {
      // The stream was closed.
    }
  }
}
