/** The thread's half of a thread that shares no memory with its scheduler: the usual loop, on a private control block. */
import type { RemotePlatform, RemoteRunner } from "../../RemoteThread.ts"
import * as controlBlock from "../wire/controlBlock.ts"
import { detach } from "../wire/moved.ts"
import type { PayloadMemory } from "../wire/payload.ts"
import * as protocol from "../wire/protocol.ts"
import * as remote from "../wire/remote.ts"
import { threadContext } from "./context.ts"
import * as loop from "./loop.ts"

/** How long one read of the flags serves a body that checks repeatedly. Arbitrary: fifty times the cost of a read. */
const flagsMillis = 0.05

/** Starts the loop in a thread that shares no memory. */
export const serve = (platform: RemotePlatform): RemoteRunner => {
  const { decode, encode, exit, heapUsed, load, now, payloads, receiveAnswer, send } = platform
  const { measureHeap, preload, threadData, version } = decode(platform.start) as Omit<
    protocol.ThreadStart,
    "control"
  >
  const control = controlBlock.make()
  const flags = new remote.SharedFlagsView(platform.flags)
  const writer = new remote.MessageWriter(payloads, encode)
  const reader = new remote.MessageReader(payloads, decode)
  /** Memory of the arguments of offered tasks, by cell. */
  const memories = new Array<PayloadMemory | undefined>(controlBlock.capacity).fill(undefined)
  const places = new Array<number>(controlBlock.capacity).fill(0)
  /** How many arguments have not been read. */
  let unread = 0
  let flagsReadAt = 0

  const readFlags = (): void => {
    flagsReadAt = now()
    flags.read()
    controlBlock.requestStop(control, flags.stop)
  }

  /** Returns when the message was handed to the channel: it survives the end of this thread. */
  const post = (message: unknown, transfer: Array<object> | undefined): void => {
    const posted = message as protocol.FromThread
    if (posted[0] !== protocol.Progress) {
      writer.begin(remote.Protocol)
      writer.bytes(encode(posted))
    } else if (posted.length === 1) {
      writer.begin(remote.Passed)
      writer.int32(controlBlock.passed(control))
    } else {
      const [, sequence, status, value] = posted
      writer.begin(remote.Ended)
      writer.int32(sequence)
      writer.byte(status)
      writer.float64(controlBlock.startTime(control, sequence))
      writer.float64(controlBlock.endTime(control, sequence))
      writer.float64(measureHeap ? heapUsed() : 0)
      writer.value(value)
    }
    send(writer.end())
    // A move is a copy here; the sender loses the value nevertheless.
    if (transfer !== undefined) detach(transfer)
  }

  const onClaim = (sequence: number): void => {
    flags.writeClaimed(sequence)
    // The scheduler may be taking the task back, and decides in a moment.
    do readFlags()
    while (flags.revoke(sequence) === sequence)
    if (flags.revoke(sequence) !== -sequence) return
    controlBlock.revoke(control, sequence)
    forgetArguments(sequence % controlBlock.capacity)
  }

  const forgetArguments = (index: number): void => {
    memories[index] = undefined
    unread--
  }

  const argumentsOf = (sequence: number): Array<unknown> => {
    const index = sequence % controlBlock.capacity
    const memory = memories[index]
    forgetArguments(index)
    return reader.value(memory, places[index]) as Array<unknown>
  }

  threadContext.clone = encode
  threadContext.refresh = () => {
    if (now() - flagsReadAt >= flagsMillis) readFlags()
  }
  const runner = loop.start({
    start: {
      version,
      control: control.int32.buffer as SharedArrayBuffer,
      results: undefined,
      preload,
      threadData,
      measureHeap: false
    } satisfies protocol.ThreadStart,
    post,
    load,
    now,
    heapUsed,
    exit,
    abort: platform.abort,
    receive: receiveAnswer && (() => decode(receiveAnswer())),
    remote: {
      onClaim,
      argumentsOf,
      onEnter: (sequence, startedAt) => {
        flags.writeEntered(sequence, startedAt)
        readFlags()
      }
    }
  })

  const receive = (message: Uint8Array): void => {
    if (reader.begin(message) === remote.Protocol) return runner.onMessage(decode(reader.rest()))
    const first = reader.int32()
    const count = reader.int32()
    for (let i = 0; i < count; i++) {
      const sequence = controlBlock.plus(first, i)
      const index = sequence % controlBlock.capacity
      controlBlock.offer(control, sequence, reader.int32(), noArguments)
      memories[index] = reader.memory
      places[index] = reader.at
      reader.skipValue()
    }
    unread += count
    reader.forget()
    runner.onMessage([protocol.Run, first, count] satisfies protocol.RunMessage)
  }

  return {
    onUncaught: runner.onUncaught,
    abort: runner.abort,
    onMessage: (message) => {
      try {
        receive(message)
      } catch (error) {
        runner.abort(error)
      }
      return unread === 0
    }
  }
}

const noArguments: ReadonlyArray<unknown> = []
