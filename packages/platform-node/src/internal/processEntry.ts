/**
 * The entry of a pool process. Exports nothing and imports little: its imports are part of
 * the start of every process.
 */
import * as RemoteThread from "effect-blocking/RemoteThread"
import { Socket } from "node:net"
import { getHeapStatistics } from "node:v8"
import { sharedClock } from "./clock.ts"
import { load } from "./load.ts"
import { payloads } from "./payloads.ts"
import * as Calls from "./processCalls.ts"
import * as Channel from "./processChannel.ts"
import { decode, encode } from "./processValues.ts"
import * as SharedFile from "./sharedFile.ts"
import * as SharedMessages from "./sharedMessages.ts"
import { brokenBy, dropCondition } from "./threadData.ts"

// The arguments are ours: tasks must not see them.
const [, title] = process.argv.splice(2)
process.title = title!
dropCondition()

// A terminal and a service manager send these to the whole process group. The parent decides
// what happens to the running tasks.
const ignore = (): void => {}
process.on("SIGINT", ignore)
process.on("SIGTERM", ignore)

/** The descriptor of the shared file, as `processHost` sets it. */
const flagsFd = 4

// Taken before a body can replace it.
const exit = process.exit.bind(process)

const descriptor = (): number => flagsFd
const shared = new SharedMessages.SharedWriter(descriptor, SharedMessages.ToProgram)
const socket = new Socket({ fd: Channel.channelFd })
let retiring = false

/** Ends the process and sends the program the reason. */
const abort = (error: unknown): void => {
  try {
    Calls.send([encode(brokenBy(error))], shared)
  } finally {
    exit(1)
  }
}

let onMessage = (start: Uint8Array): boolean => {
  const runner = RemoteThread.serve({
    start,
    flags: SharedFile.open(flagsFd),
    encode,
    decode,
    now: sharedClock(),
    heapUsed: () => getHeapStatistics().used_heap_size,
    load,
    payloads,
    send: (message) => Calls.send(message, shared),
    receiveAnswer: () => Calls.receive(exit),
    // The event loop ends when the channel is closed. If a body left something open, the
    // scheduler kills the process.
    exit: () => {
      retiring = true
      socket.end()
      if (process.connected) process.disconnect()
    },
    abort
  })
  onMessage = runner.onMessage
  process.on("uncaughtException", (error, origin) => {
    // The listener below reports rejections, in any mode of Node.
    if (origin === "uncaughtException") runner.onUncaught(error)
  })
  process.on("unhandledRejection", runner.onUncaught)
  return true
}

Channel.receive(socket, new SharedMessages.SharedReader(descriptor, SharedMessages.ToProcess), (message) => {
  try {
    return onMessage(message)
  } catch (error) {
    abort(error)
    return false
  }
})
// An error means that the parent is gone; `close` reports that as well.
socket.on("error", ignore)
socket.on("close", () => {
  if (!retiring) exit()
})
