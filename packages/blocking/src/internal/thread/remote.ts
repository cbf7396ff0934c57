/** The thread's half of a thread that shares no memory with its scheduler: a control block of its own under the usual loop. */
import type { RemotePlatform } from "../../RemoteThread.ts"
import type { ThreadRunner } from "../../ThreadRunner.ts"
import { describe, isMutable } from "../wire/cloneable.ts"
import * as controlBlock from "../wire/controlBlock.ts"
import { detach } from "../wire/moved.ts"
import * as protocol from "../wire/protocol.ts"
import * as remote from "../wire/remote.ts"
import { threadContext } from "./context.ts"
import * as loop from "./loop.ts"

/** How long a body that asks again and again does with one look at the flags. Arbitrary: fifty times what that costs. */
const lookMillis = 0.05

/** Starts the loop in a thread that shares no memory. */
export const serve = (platform: RemotePlatform): ThreadRunner => {
  const { flags: flagsOfPlatform, decode, encode, exit, heapUsed, load, now, receiveAnswer, send, sendCall } = platform
  const { measureHeap, preload, threadData, version } = decode(platform.start as Uint8Array) as Omit<
    protocol.ThreadStart,
    "control"
  >
  const control = controlBlock.make()
  const flags = new remote.SharedFlagsView(flagsOfPlatform)
  let current = 0
  let lookedAt = 0
  /** How many calls were sent. */
  let calls = 0

  const look = (): void => {
    lookedAt = now()
    flags.read()
    controlBlock.requestStop(control, flags.int32[remote.Stop]!)
  }

  const ended = (status: number, packed: unknown): void => {
    const startTime = controlBlock.startTime(control, current)
    const endTime = controlBlock.endTime(control, current)
    const heap = measureHeap ? heapUsed() : 0
    send([current, startTime, endTime, heap, calls, status, packed] satisfies remote.EndedMessage)
  }

  const post = (message: unknown, transfer: Array<object> | undefined): void => {
    const posted = message as protocol.FromThread
    if (posted[0] !== protocol.Progress) {
      const bytes = encode(posted)
      if (posted[0] === protocol.Call && sendCall !== undefined) {
        calls++
        sendCall(bytes)
      } else {
        send([bytes] satisfies remote.EncodedMessage)
      }
      if (transfer !== undefined) detach(transfer)
      return
    }
    // Without a result of its own the message says that there is one in the block.
    if (posted.length === 1) return ended(protocol.Succeeded, controlBlock.result(control, current))
    const [, , status, value] = posted
    ended(status, isMutable(value) ? encode(value) : value)
    // A move is a copy here; the sender is left without all the same.
    if (transfer !== undefined) detach(transfer)
  }

  threadContext.clone = encode
  threadContext.refresh = () => {
    if (now() - lookedAt >= lookMillis) look()
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
    onEnter: (sequence, startedAt) => {
      flags.writeEntered(sequence, startedAt)
      look()
    }
  })

  const receive = (message: unknown): void => {
    if (message instanceof Uint8Array) return runner.onMessage(decode(message))
    const [sequence, task, packed] = message as remote.RunMessage
    current = sequence
    controlBlock.offer(control, sequence, task, noArguments)
    flags.write(remote.Claimed, sequence)
    // The scheduler may just be taking the task back, and says in a moment whether it has.
    do look()
    while (flags.int32[remote.Revoke] === sequence)
    if (flags.int32[remote.Revoke] === -sequence) {
      controlBlock.end(control, sequence, 0, now())
      return ended(protocol.Stopped, undefined)
    }
    let args: unknown
    try {
      args = remote.unpack(packed, decode)
    } catch (error) {
      const uncloneable: protocol.NotCloneableValue = { side: "argument", path: "arguments", detail: describe(error) }
      controlBlock.end(control, sequence, 0, now())
      return ended(protocol.NotCloneable, encode(uncloneable))
    }
    runner.onMessage([protocol.Run, sequence, 1, 0, args] satisfies protocol.RunMessage)
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
    }
  }
}

const noArguments: ReadonlyArray<unknown> = []
