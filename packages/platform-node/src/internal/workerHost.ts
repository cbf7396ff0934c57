/** A `ThreadHost` over `node:worker_threads`. */
import type { ThreadHost } from "effect-blocking/ThreadHost"
import { Worker, type WorkerOptions } from "node:worker_threads"
import { eventLoop } from "./eventLoop.ts"
import { condition, definedOnly, entryUrl, inheritedFlags, type LaunchOptions } from "./launch.ts"

const entry = entryUrl("threadEntry", import.meta.url)

export const workerHost = (options: LaunchOptions): ThreadHost => {
  let execArgv = options.execArgv ?? inheritedFlags(process.execArgv)
  const env = definedOnly(options.env)

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
    ...eventLoop(),
    spawn: ({ ordinal, start: workerData }, events) => {
      const worker = start({
        workerData,
        name: `${options.threadName}-${ordinal}`,
        ...(env === undefined ? {} : { env }),
        ...(options.resourceLimits === undefined ? {} : { resourceLimits: options.resourceLimits })
      })
      const { threadId } = worker
      let cause: unknown
      worker.on("message", events.onMessage)
      worker.on("messageerror", events.onMessageError)
      worker.on("error", (error) => {
        cause = error
      })
      worker.on("exit", (exitCode) => {
        const outOfMemory = cause instanceof Error && "code" in cause && cause.code === "ERR_WORKER_OUT_OF_MEMORY"
        events.onExit({ exitCode, signal: undefined, outOfMemory, cause })
      })
      // After the listeners, which would take a reference again.
      worker.unref()
      return {
        threadId,
        post: (message, transfer) => worker.postMessage(message, transfer as Array<ArrayBuffer> | undefined),
        terminate: () => void worker.terminate()
      }
    }
  }
}

const refusedFlags = (error: unknown): ReadonlyArray<string> => {
  if (!(error instanceof Error && "code" in error && error.code === "ERR_WORKER_INVALID_EXEC_ARGV")) return []
  return error.message.slice(error.message.indexOf(": ") + 2).split(", ")
}
