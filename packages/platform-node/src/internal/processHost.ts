/** A `ThreadHost` over `node:child_process`: each thread of the pool is a process. */
import * as RemoteThread from "effect-blocking/RemoteThread"
import type { ThreadExit, ThreadHost } from "effect-blocking/ThreadHost"
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { eventLoop } from "./eventLoop.ts"
import { inheritedFlags, isolatingFlags } from "./flags.ts"
import { onForceShutdown } from "./forceShutdown.ts"
import { checkEntry, condition, definedOnly, entryUrl, type LaunchOptions, type ResourceLimits } from "./launch.ts"
import { decode, detach, encode } from "./processValues.ts"
import * as SharedFile from "./sharedFile.ts"

const entry = entryUrl(
  import.meta.url,
  () => new URL("./processEntry.ts", import.meta.url),
  () => new URL("./processEntry.js", import.meta.url)
)

/**
 * How long the channel may stay open after the exit: what the process sent before is
 * still to be read, but a process of its own may hold the channel open. Arbitrary.
 */
const drainMillis = 500

export const processHost = (options: LaunchOptions): ThreadHost => {
  const env = definedOnly(options.env)
  const execArgv = [
    ...isolatingFlags((env ?? process.env)["NODE_OPTIONS"]),
    ...(options.execArgv ?? inheritedFlags(process.execArgv)),
    ...limitFlags(options.resourceLimits ?? {}),
    condition
  ]
  const loop = eventLoop()

  const launch = (name: string, flags: SharedFile.OwnedSharedFile): ChildProcess => {
    const child = fork(fileURLToPath(entry), [name], {
      serialization: "advanced",
      execArgv,
      stdio: ["ignore", "inherit", "inherit", "ipc", flags.fd],
      ...(env === undefined ? {} : { env })
    })
    // Errors of a start and of a signal: what comes of them is seen by the pid and the exit.
    child.on("error", () => {})
    if (child.pid === undefined) throw new Error(`The process could not be started: ${process.execPath} ${entry.href}`)
    return child
  }

  return {
    ...loop,
    onForceShutdown,
    maxTasksPerThread: 1,
    spawn: ({ ordinal, start }, events) => {
      checkEntry(entry)
      const flags = SharedFile.make()
      let child: ChildProcess
      let remote: RemoteThread.RemoteThread
      try {
        child = launch(`${options.threadName}-${ordinal}`, flags)
        remote = RemoteThread.connect(start, events, {
          flags,
          encode,
          decode,
          detach,
          now: loop.now,
          // An error, such as that of a channel that is closed, goes to the callback, and is told by the exit.
          send: (message) => void child.send(message as object, () => {})
        })
      } catch (error) {
        flags.close()
        throw error
      }

      let exit: ThreadExit | undefined
      let disconnected = false
      let ended = false
      const end = (): void => {
        if (exit === undefined || ended) return
        ended = true
        events.onExit(exit)
        flags.close()
      }
      child.on("message", remote.onMessage)
      child.once("exit", (exitCode, signal) => {
        exit = { exitCode: exitCode ?? undefined, signal: signal ?? undefined, outOfMemory: false, cause: undefined }
        if (disconnected) end()
        // A timer comes before what has arrived, after a pause of this process; the next turn after it.
        else loop.schedule(drainMillis, () => loop.nextTurn(end))
      })
      child.once("disconnect", () => {
        disconnected = true
        end()
      })
      child.unref()
      child.channel?.unref()
      return {
        threadId: child.pid!,
        post: remote.post,
        terminate: () => void child.kill("SIGKILL"),
        link: remote.link
      }
    }
  }
}

/** The limits of a thread as the flags of a process; there is none for the code range. */
const limitFlags = (limits: ResourceLimits): ReadonlyArray<string> => {
  const { maxOldGenerationSizeMb, maxYoungGenerationSizeMb, stackSizeMb } = limits
  return [
    ...(maxOldGenerationSizeMb === undefined ? [] : [`--max-old-space-size=${Math.ceil(maxOldGenerationSizeMb)}`]),
    // The young generation is three semi-spaces.
    ...(maxYoungGenerationSizeMb === undefined
      ? []
      : [`--max-semi-space-size=${Math.ceil(maxYoungGenerationSizeMb / 3)}`]),
    ...(stackSizeMb === undefined ? [] : [`--stack-size=${Math.floor(stackSizeMb * 1024)}`])
  ]
}
