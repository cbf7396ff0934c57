/** A `ThreadHost` over `node:worker_threads`. */
import type { ThreadHost } from "effect-blocking/ThreadHost"
import { Worker, type WorkerOptions } from "node:worker_threads"
import { sharedClock } from "./clock.ts"
import * as exitGuard from "./exitGuard.ts"
import { onHurry } from "./hurry.ts"

export interface WorkerHostOptions {
  readonly threadName: string
  readonly env: Readonly<Record<string, string | undefined>> | undefined
  readonly execArgv: ReadonlyArray<string> | undefined
  readonly resourceLimits: WorkerOptions["resourceLimits"]
}

// `tsc` rewrites the extensions of imports, not of urls.
const entry = new URL(import.meta.url.endsWith(".ts") ? "./threadEntry.ts" : "./threadEntry.js", import.meta.url)

/** Gives pool threads the entry point of `effect-blocking` that does not load `effect`. */
const condition = "--conditions=effect-blocking-thread"

/** The longest delay that `setTimeout` takes. */
const maxTimerMillis = 2 ** 31 - 1

export const workerHost = (options: WorkerHostOptions): ThreadHost => {
  let execArgv = options.execArgv ?? inherited(process.execArgv)
  // A variable that is `undefined` is not there; Node would make it the text "undefined".
  const env = options.env && Object.fromEntries(Object.entries(options.env).filter(([, value]) => value !== undefined))
  let heartbeat: NodeJS.Timeout | undefined

  const start = (workerOptions: WorkerOptions): Worker => {
    try {
      return new Worker(entry, { ...workerOptions, execArgv: [...execArgv, condition] })
    } catch (error) {
      // Some flags are for a process, not for a thread. The program chose them, the
      // pool did not: it leaves out those that Node names.
      const refused = options.execArgv === undefined ? refusedFlags(error) : []
      const accepted = execArgv.filter((flag) => !refused.includes(flag))
      if (accepted.length === execArgv.length) throw error
      execArgv = accepted
      return start(workerOptions)
    }
  }

  return {
    now: sharedClock(),
    schedule: (delayMillis, callback) => {
      // Effect's own clock is not there: the scheduler drives this one. @effect-diagnostics-next-line globalTimers:off
      const timer = setTimeout(callback, Math.min(delayMillis, maxTimerMillis)).unref()
      return () => clearTimeout(timer)
    },
    nextTurn: (callback) => void setImmediate(callback),
    keepAlive: (active) => {
      // @effect-diagnostics-next-line globalTimers:off
      heartbeat ??= setInterval(() => {}, maxTimerMillis)
      if (active) heartbeat.ref()
      else heartbeat.unref()
    },
    onHurry,
    aboutAbandoned: () => exitGuard.isArmed() ? undefined : held,
    spawn: ({ mayBlock, ordinal, start: workerData }, events) => {
      const worker = start({
        workerData,
        name: `${options.threadName}-${ordinal}`,
        ...(env === undefined ? {} : { env }),
        ...(options.resourceLimits === undefined ? {} : { resourceLimits: options.resourceLimits })
      })
      const { threadId } = worker
      const forget = exitGuard.watch(mayBlock)
      let cause: unknown
      worker.on("message", events.onMessage)
      worker.on("messageerror", events.onMessageError)
      worker.on("error", (error) => {
        cause = error
      })
      worker.on("exit", (exitCode) => {
        forget()
        const outOfMemory = cause instanceof Error && "code" in cause && cause.code === "ERR_WORKER_OUT_OF_MEMORY"
        events.onExit({ exitCode, signal: undefined, outOfMemory, cause })
      })
      // After the listeners, which would take a reference again.
      worker.unref()
      return {
        threadId,
        post: (message, transfer) => worker.postMessage(message, transfer as Array<ArrayBuffer> | undefined),
        terminate: () => {
          void worker.terminate()
          // Node takes a reference until the thread has ended, which one in native code does
          // not: the event loop would not end, and the exit guard not be asked.
          if (exitGuard.isArmed()) worker.unref()
        }
      }
    }
  }
}

const held = "It keeps the process from exiting for as long as it is in native code. A program that is started with " +
  "NodeBlocking.runMain exits nevertheless; the task of a pool with isolation: \"process\" can be killed"

/** Flags of the program that say what it runs, not how: a thread has its own script. */
const own = new Set(["-e", "--eval", "-p", "-pe", "--print", "-i", "--interactive", "-c", "--check"])

const inherited = (execArgv: ReadonlyArray<string>): ReadonlyArray<string> =>
  execArgv.filter((flag, i) => !own.has(flag) && !own.has(execArgv[i - 1] ?? "") && !flag.startsWith("--input-type"))

const refusedFlags = (error: unknown): ReadonlyArray<string> => {
  if (!(error instanceof Error && "code" in error && error.code === "ERR_WORKER_INVALID_EXEC_ARGV")) return []
  return error.message.slice(error.message.indexOf(": ") + 2).split(", ")
}
