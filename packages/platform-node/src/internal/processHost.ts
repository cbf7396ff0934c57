/** A `ThreadHost` over `node:child_process`: each thread of the pool is a process. */
import * as RemoteThread from "effect-blocking/RemoteThread"
import { CannotStart, type ThreadExit, type ThreadHost } from "effect-blocking/ThreadHost"
import { poolThreadMark } from "effect-blocking/ThreadRunner"
import { type ChildProcess, fork } from "node:child_process"
import type { Socket } from "node:net"
import { fileURLToPath } from "node:url"
import { eventLoop } from "./eventLoop.ts"
import * as Flags from "./flags.ts"
import { onForceShutdown } from "./forceShutdown.ts"
import { checkEntry, condition, definedOnly, isSource, type LaunchOptions, type ResourceLimits } from "./launch.ts"
import { payloads } from "./payloads.ts"
import * as Calls from "./processCalls.ts"
import * as Channel from "./processChannel.ts"
import { decode, encode } from "./processValues.ts"
import * as SharedFile from "./sharedFile.ts"
import * as SharedMessages from "./sharedMessages.ts"
import { type Broken, brokenMark, causeOf } from "./threadData.ts"

const entry = isSource(import.meta.url)
  ? new URL("./processEntry.ts", import.meta.url)
  : new URL("./processEntry.js", import.meta.url)

const guard = isSource(import.meta.url)
  ? new URL("./processGuard.cts", import.meta.url)
  : new URL("./processGuard.cjs", import.meta.url)

/**
 * How long the channel may stay open after the exit. The last messages of the process still
 * have to be read, but a child of the process may hold the channel open. Arbitrary.
 */
const drainMillis = 500

export const processHost = (options: LaunchOptions): ThreadHost => {
  const execArgv = [
    ...(options.execArgv ?? Flags.forProcess(process.execArgv)),
    ...limitFlags(options.resourceLimits ?? {}),
    condition
  ]

  /** The guard comes before the program's preloads, and removes itself from the variables. */
  const environment = (): NodeJS.ProcessEnv => {
    const env = Flags.inEnv(definedOnly(options.env) ?? process.env, Flags.forProcess)
    const option = `--require ${JSON.stringify(fileURLToPath(guard))}`
    const { NODE_OPTIONS = "" } = env
    // Yarn's Plug'n'Play keeps the guard in an archive, and must come first to read it.
    const words = process.versions["pnp"] === undefined ? [option, NODE_OPTIONS] : [NODE_OPTIONS, option]
    return { ...env, NODE_OPTIONS: words.join(" ").trim() }
  }

  const loop = eventLoop()

  const launch = (name: string, flags: SharedFile.OwnedSharedFile): ChildProcess => {
    const child = fork(fileURLToPath(entry), [poolThreadMark, name, String(process.pid)], {
      serialization: "advanced",
      execArgv,
      stdio: ["ignore", "inherit", "inherit", "ipc", flags.fd, "pipe", "pipe"],
      env: environment()
    })
    // Errors of a start and of a signal. The pid and the exit show their effect.
    child.on("error", ignore)
    if (child.pid === undefined) throw new Error(`The process could not be started: ${process.execPath} ${entry.href}`)
    return child
  }

  return {
    ...loop,
    onForceShutdown,
    pack: encode,
    payloads,
    spawn: ({ ordinal, start }, events) => {
      checkEntry(entry)
      checkEntry(guard)
      const flags = SharedFile.make()
      const shared = new SharedMessages.SharedWriter(flags.descriptor, SharedMessages.ToProcess)
      let child: ChildProcess
      let socket: Socket
      let calls: Socket
      let remote: RemoteThread.RemoteThread
      try {
        child = launch(`${options.threadName}-${ordinal}`, flags)
        const stdio = child.stdio as ReadonlyArray<unknown>
        socket = stdio[Channel.channelFd] as Socket
        calls = stdio[Calls.callsFd] as Socket
        // The error of a process that is gone; its exit reports that.
        socket.on("error", ignore)
        calls.on("error", ignore)
        remote = RemoteThread.connect(start, events, {
          flags,
          encode,
          decode,
          now: loop.now,
          payloads,
          send: (message) => void socket.write(Channel.share(message, shared) ?? Channel.frame(message)),
          sendAnswer: (bytes) => void calls.write(Channel.frame([bytes]))
        })
      } catch (error) {
        flags.close()
        throw error
      }

      let exit: ThreadExit | undefined
      let cause: unknown
      let closed = false
      let ended = false
      const end = (): void => {
        if (exit === undefined || ended) return
        ended = true
        if (!heard && exit.exitCode === invalidArgument) cause = new CannotStart(refused(execArgv))
        events.onExit({ ...exit, cause })
        // A child of the process may hold the pipe open, but the shared file is closed.
        calls.destroy()
        flags.close()
      }
      let heard = false
      Channel.receive(calls, new SharedMessages.SharedReader(flags.descriptor, SharedMessages.ToProgram), (message) => {
        heard = true
        if (message[0] === brokenMark) cause = causeOf(decode(message) as Broken)
        else remote.onMessage(message)
        return true
      })
      // Messages that a task sends with `process.send` have no receiver. They are dropped, not buffered.
      child.on("message", ignore)
      child.once("exit", (exitCode, signal) => {
        exit = { exitCode: exitCode ?? undefined, signal: signal ?? undefined, outOfMemory: false, cause: undefined }
        if (closed) end()
        // After a pause of this process, a timer fires before messages that have arrived are read, and `nextTurn` after that.
        else loop.schedule(drainMillis, () => loop.nextTurn(end))
      })
      calls.once("close", () => {
        closed = true
        end()
      })
      child.unref()
      child.channel?.unref()
      socket.unref()
      calls.unref()
      return {
        threadId: child.pid!,
        post: remote.post,
        terminate: () => void child.kill("SIGKILL"),
        link: remote.link
      }
    }
  }
}

const ignore = (): void => {}

/** The exit code of Node when it refuses its flags. It names them on stderr. */
const invalidArgument = 9

const refused = (execArgv: ReadonlyArray<string>): string =>
  `Node cannot start a process with these flags (exit code ${invalidArgument}; its output says which): ${
    execArgv.join(" ")
  }`

/** The limits of a thread as the flags of a process. The code range has no flag. */
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
