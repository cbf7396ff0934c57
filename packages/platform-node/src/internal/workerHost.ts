/** A `ThreadHost` over `node:worker_threads`. */
import { CannotStart, type ThreadEvents, type ThreadHost } from "effect-blocking/ThreadHost"
import { poolThreadMark } from "effect-blocking/ThreadRunner"
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker, type WorkerOptions } from "node:worker_threads"
import { eventLoop } from "./eventLoop.ts"
import * as exitGuard from "./exitGuard.ts"
import * as Flags from "./flags.ts"
import { onForceShutdown } from "./forceShutdown.ts"
import { checkEntry, condition, definedOnly, isSource, type LaunchOptions } from "./launch.ts"
import { payloads } from "./payloads.ts"
import { causeOf, isBroken, type PoolThreadData } from "./threadData.ts"

const entry = isSource(import.meta.url)
  ? new URL("./threadEntry.ts", import.meta.url)
  : new URL("./threadEntry.js", import.meta.url)

export const workerHost = (options: LaunchOptions): ThreadHost => {
  let execArgv = options.execArgv ?? Flags.forThread(process.execArgv)
  const env = definedOnly(options.env)
  const refusedInEnv = new Set<string>()

  /** The variables for a thread. If none differs, Node copies those of the program. */
  const environment = (): Pick<WorkerOptions, "env"> => {
    const variables = Flags.inEnv(
      env ?? process.env,
      (flags) => Flags.without(Flags.forThread(flags), (name) => refusedInEnv.has(name))
    )
    return variables === process.env ? {} : { env: variables }
  }

  const start = (workerOptions: WorkerOptions): Worker => {
    while (true) {
      try {
        return new Worker(entry, { ...workerOptions, ...environment(), execArgv: [...execArgv, condition] })
      } catch (error) {
        if (!isRefusal(error)) throw error
        // Some flags are only for a process. The program chose them, not the pool, so the
        // pool leaves out those that Node names.
        const inEnv = refusedNames(error.message).filter((name) => !refusedInEnv.has(name))
        for (const name of inEnv) refusedInEnv.add(name)
        if (inEnv.length > 0) continue
        const refused = refusedWords(error.message)
        const accepted = Flags.without(execArgv, (_, word) => refused.includes(`, ${word}, `))
        if (options.execArgv !== undefined || accepted.length === execArgv.length) {
          throw new CannotStart(error.message)
        }
        execArgv = accepted
      }
    }
  }

  return {
    ...eventLoop(),
    onForceShutdown,
    payloads,
    aboutAbandoned: () => exitGuard.isArmed() ? undefined : held,
    spawn: ({ mayBlock, ordinal, start: threadStart }, events) => {
      checkEntry(entry)
      // A port of our own: messages that a body posts on `parentPort` must not come here.
      const { port1: port, port2 } = new MessageChannel()
      let worker: Worker
      try {
        worker = start({
          workerData: { [poolThreadMark]: { port: port2, start: threadStart } satisfies PoolThreadData },
          transferList: [port2],
          name: `${options.threadName}-${ordinal}`,
          ...(options.resourceLimits === undefined ? {} : { resourceLimits: options.resourceLimits })
        })
      } catch (error) {
        port.close()
        throw error
      }
      const { threadId } = worker
      const idleMillis = (): number => worker.performance.eventLoopUtilization().idle
      const terminate = (): void => {
        // Node reports 0 for ever for a thread that was never asked before its end.
        idleMillis()
        void worker.terminate()
      }
      // Node reports less than 0 for a thread whose environment is gone. This is not documented, but nothing
      // else shows it without returning to this event loop.
      const forget = exitGuard.watch({ mayBlock, terminate, hasEnded: () => idleMillis() < 0 })
      let cause: unknown
      const onMessage = (message: unknown): void => {
        if (isBroken(message)) cause = causeOf(message)
        else events.onMessage(message)
      }
      port.on("message", onMessage)
      port.on("messageerror", events.onMessageError)
      worker.on("error", (error) => {
        cause = error
      })
      worker.on("exit", (exitCode) => {
        forget()
        drain(port, onMessage, events)
        port.close()
        const outOfMemory = cause instanceof Error && "code" in cause && cause.code === "ERR_WORKER_OUT_OF_MEMORY"
        events.onExit({ exitCode, signal: undefined, outOfMemory, cause })
      })
      // After the listeners are added, which would ref them again.
      worker.unref()
      port.unref()
      return {
        threadId,
        post: (message, transfer) => port.postMessage(message, transfer as Array<ArrayBuffer> | undefined),
        terminate: () => {
          terminate()
          // Node refs the worker until it has ended. With a thread in native code the event loop
          // would not end, and the exit guard would not run.
          if (exitGuard.isArmed()) worker.unref()
        }
      }
    }
  }
}

/** Receives the last messages of a thread that has ended. Its exit is reported separately, and can come first. */
const drain = (port: MessagePort, onMessage: (message: unknown) => void, events: ThreadEvents): void => {
  while (true) {
    let received: ReturnType<typeof receiveMessageOnPort>
    try {
      received = receiveMessageOnPort(port)
    } catch (error) {
      events.onMessageError(error)
      continue
    }
    if (received === undefined) return
    onMessage(received.message)
  }
}

const held = "It keeps the process from exiting for as long as it is in native code. A program that is started with " +
  "NodeBlocking.runMain exits nevertheless; the task of a pool with isolation: \"process\" can be killed"

const isRefusal = (error: unknown): error is Error =>
  error instanceof Error && "code" in error && error.code === "ERR_WORKER_INVALID_EXEC_ARGV"

/** The flags that Node has refused, as they were given. */
const refusedWords = (message: string): string => `, ${message.slice(message.indexOf(": ") + 2)}, `

/** The names of the flags that Node has refused in `NODE_OPTIONS`. */
const refusedNames = (message: string): ReadonlyArray<string> =>
  Array.from(message.matchAll(/(-[^ ,]+?)=? is not allowed in NODE_OPTIONS/g), ([, word]) => Flags.nameOf(word!))
