/** Both halves on shared flags and a channel in memory, so that the test can act between any two of their steps. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Task } from "effect-blocking"
import * as RemoteThread from "effect-blocking/RemoteThread"
import { deserialize, serialize } from "node:v8"
import { threadContext } from "../src/internal/thread/context.ts"
import * as controlBlock from "../src/internal/wire/controlBlock.ts"
import * as protocol from "../src/internal/wire/protocol.ts"
import * as wire from "../src/internal/wire/remote.ts"
import * as Version from "../src/internal/wire/version.ts"
import { payloadPlatform } from "./utils/payloadPlatform.ts"

const ran: Array<string> = []
const body = Task.make(import.meta.url, "body", (name: string) => {
  ran.push(name)
  return Task.stopRequested()
})

afterAll(() => {
  threadContext.control = threadContext.refresh = undefined
})

/** The offsets of the cells in the flags. */
const Claimed = 8
const Entered = 12
/** … of the cell for the task with that sequence number. */
const revoke = (sequence: number): number => 6 + sequence % controlBlock.capacity

const make = () => {
  const bytes = new Uint8Array(RemoteThread.sharedFlagsBytes)
  const cells = new Int32Array(bytes.buffer)
  /**
   * Called when the thread's half has written the flags or is about to read them, and when the scheduler's
   * half wants a task back.
   */
  const hooks: {
    claimed?: () => void
    entered?: (() => void) | undefined
    look?: () => void
    wanted?: (() => void) | undefined
    sent?: () => void
  } = {}
  const flags: RemoteThread.SharedFlags = {
    read: (target, position) => target.set(bytes.subarray(position, position + target.length)),
    write: (source, position) => {
      bytes.set(source, position)
      if (position >= revoke(0) * 4) hooks.wanted?.()
    }
  }
  const flagsOfThread: RemoteThread.SharedFlags = {
    read: (target, position) => {
      hooks.look?.()
      flags.read(target, position)
    },
    write: (source, position) => {
      bytes.set(source, position)
      // In the order of the thread: first the claim alone, then everything from the claim on.
      if (position === Claimed && source.length === 4) hooks.claimed?.()
      if (position + source.length > Entered) hooks.entered?.()
    }
  }
  let time = 100
  const common = {
    encode: (value: unknown) => {
      if (String(value).includes("uncloneable")) throw new Error("uncloneable")
      return serialize(value)
    },
    decode: (bytes: Uint8Array): unknown => deserialize(bytes),
    now: () => ++time,
    payloads: payloadPlatform
  }
  const toThread: Array<Uint8Array> = []
  const messages: Array<unknown> = []
  const ended: Array<Uint8Array> = []
  const read: Array<boolean> = []
  const errors: Array<unknown> = []
  const loaded: Array<string> = []
  const control = controlBlock.make()
  const start: protocol.ThreadStart = {
    version: Version.current,
    control: control.int32.buffer as SharedArrayBuffer,
    results: undefined,
    preload: [],
    threadData: undefined,
    measureHeap: true
  }
  const events = {
    onMessage: (message: unknown) => void messages.push(message),
    onMessageError: (error: unknown) => void errors.push(error),
    onExit: () => {}
  }
  const remote = RemoteThread.connect(start, events, {
    ...common,
    flags,
    // The bytes are reused for another message after the call.
    send: (message) => void toThread.push(Buffer.concat(message))
  })
  const thread = RemoteThread.serve({
    ...common,
    start: toThread.shift()!,
    flags: flagsOfThread,
    send: (message) => {
      hooks.sent?.()
      const bytes = Buffer.concat(message)
      if (bytes[0] === wire.Ended) ended.push(Uint8Array.from(bytes))
      remote.onMessage(bytes)
    },
    load: (url) => {
      loaded.push(url)
      return Promise.resolve()
    },
    heapUsed: () => 123,
    exit: () => {}
  })
  let sequence = 0
  remote.post([protocol.Define, 0, body.module, body.name], undefined)
  /** Sends tasks like the scheduler; returns the number of the first. */
  const send = (...names: ReadonlyArray<unknown>): number => {
    const first = sequence + 1
    const args = names.flatMap((name, i) => {
      controlBlock.offer(control, ++sequence, 0, [name])
      return [i, typeof name === "string" ? [name] : common.encode([name])]
    })
    remote.post([protocol.Run, first, names.length, ...args], undefined)
    return first
  }
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
  /** Delivers the sent messages to the thread. */
  const deliver = async () => {
    for (const message of toThread.splice(0)) read.push(thread.onMessage(message))
    await turn()
  }
  return { cells, control, deliver, ended, errors, hooks, loaded, messages, read, remote, send, toThread }
}

describe("RemoteThread", { concurrent: false }, () => {
  it("a sent task belongs to the thread once claimed, and runs from the entry of its body on", async () => {
    const { control, deliver, hooks, messages, remote, send } = make()
    await deliver()
    assert.deepStrictEqual(messages.shift(), [protocol.Ready, []])
    const sequence = send("first")
    remote.link.refresh()
    assert.isFalse(controlBlock.isClaimed(control, sequence))
    let startedAt: number | undefined
    hooks.entered = () => {
      remote.link.refresh()
      startedAt = controlBlock.startedAt(control, sequence)
    }
    await deliver()
    assert.isAbove(startedAt!, 100)
    assert.deepStrictEqual(messages, [[protocol.Progress, sequence, protocol.Succeeded, false]])
    assert.isTrue(controlBlock.hasEnded(control, sequence))
    assert.strictEqual(controlBlock.startTime(control, sequence), startedAt)
    assert.isAbove(controlBlock.endTime(control, sequence), startedAt!)
    assert.strictEqual(controlBlock.heap(control), 123)
  })

  it("the bytes of arguments are kept until they are read, after the module is loaded", async () => {
    const { deliver, messages, read, send } = make()
    await deliver()
    messages.length = 0
    send("loads", "waits")
    await deliver()
    // The definition, the batch that waits for its module, and one that does not.
    assert.deepStrictEqual(read.splice(0).slice(-2), [true, false])
    send("loaded")
    await deliver()
    assert.deepStrictEqual(read, [true])
    assert.lengthOf(messages, 3)
  })

  it("C1: if revoked before the thread claims it, the body never runs and its module is not loaded", async () => {
    const { control, deliver, loaded, messages, remote, send } = make()
    await deliver()
    messages.length = 0
    const sequence = send("revoked")
    assert.isTrue(remote.link.revoke(sequence))
    await deliver()
    assert.notInclude(ran, "revoked")
    assert.deepStrictEqual(loaded, [])
    assert.deepStrictEqual(messages, [[protocol.Progress]])
    assert.strictEqual(controlBlock.passed(control), sequence)
    assert.isFalse(controlBlock.hasEnded(control, sequence))
  })

  it("S2: a task behind a running one can be taken back, and the task after it still runs", async () => {
    const { control, deliver, hooks, messages, remote, send } = make()
    await deliver()
    messages.length = 0
    const first = send("runs", "taken", "behind")
    const revoked: Array<boolean> = []
    hooks.entered = () => {
      hooks.entered = undefined
      revoked.push(...[0, 1].map((i) => remote.link.revoke(first + i)))
    }
    await deliver()
    assert.deepStrictEqual(revoked, [false, true])
    assert.deepStrictEqual(ran.slice(-2), ["runs", "behind"])
    assert.deepStrictEqual(messages, [
      [protocol.Progress, first, protocol.Succeeded, false],
      [protocol.Progress, first + 2, protocol.Succeeded, false]
    ])
    assert.isFalse(controlBlock.hasEnded(control, first + 1))
  })

  it("S2: if the last task is taken back, the thread reports that it has passed it", async () => {
    const { control, deliver, hooks, messages, remote, send } = make()
    await deliver()
    messages.length = 0
    const first = send("only", "last")
    hooks.entered = () => void remote.link.revoke(first + 1)
    await deliver()
    assert.notInclude(ran, "last")
    assert.deepStrictEqual(messages, [[protocol.Progress, first, protocol.Succeeded, false], [protocol.Progress]])
    assert.strictEqual(controlBlock.passed(control), first + 1)
  })

  it("F1: a result is sent before the next body is entered", async () => {
    const { deliver, ended, hooks, messages, send } = make()
    await deliver()
    messages.length = 0
    send("one", "two", "three")
    const entered: Array<number> = []
    hooks.entered = () => void entered.push(ended.length)
    await deliver()
    assert.deepStrictEqual(entered, [0, 1, 2])
  })

  it("F1: tasks claimed before the last one have ended, even if their messages have not arrived", async () => {
    const { cells, control, deliver, remote, send } = make()
    await deliver()
    const first = send("on its way", "entered")
    cells[Claimed / 4] = cells[Entered / 4] = first + 1
    new Float64Array(cells.buffer)[2] = 1e6
    remote.link.refresh()
    assert.isTrue(controlBlock.hasEnded(control, first))
    assert.strictEqual(controlBlock.resultKind(control, first), controlBlock.Posted)
    assert.isTrue(controlBlock.isClaimed(control, first + 1))
    assert.strictEqual(controlBlock.startedAt(control, first + 1), 1e6)
    assert.isFalse(remote.link.revoke(first))
    assert.isFalse(remote.link.revoke(first + 1))
  })

  it("C1: a claimed task cannot be taken back, and sees no stop", async () => {
    const { deliver, hooks, messages, remote, send } = make()
    await deliver()
    messages.length = 0
    const sequence = send("kept")
    const revoked: Array<boolean> = []
    hooks.claimed = () => void revoked.push(remote.link.revoke(sequence))
    await deliver()
    assert.deepStrictEqual(revoked, [false])
    assert.include(ran, "kept")
    assert.deepStrictEqual(messages, [[protocol.Progress, sequence, protocol.Succeeded, false]])
  })

  it("C1: a task claimed at the moment it is wanted back stays with the thread", async () => {
    const { cells, control, deliver, hooks, remote, send } = make()
    await deliver()
    const sequence = send("claimed first")
    hooks.wanted = () => {
      hooks.wanted = undefined
      cells[Claimed / 4] = sequence
    }
    assert.isFalse(remote.link.revoke(sequence))
    assert.strictEqual(cells[revoke(sequence)], 0, "the thread is told that it may go on")
    assert.isTrue(controlBlock.isClaimed(control, sequence))
  })

  it.each([true, false])("C1: if both come at once, the thread waits for the scheduler's word: %s", async (revoked) => {
    const { cells, deliver, hooks, messages, send } = make()
    await deliver()
    messages.length = 0
    const name = `both ${revoked}`
    const sequence = send(name)
    // The scheduler's half has just written that it wants the task back …
    cells[revoke(sequence)] = sequence
    let looks = 0
    // … and only now checks whether it was claimed.
    hooks.look = () => {
      if (++looks === 3) cells[revoke(sequence)] = revoked ? -sequence : 0
    }
    await deliver()
    assert.isAtLeast(looks, 3)
    assert.strictEqual(ran.includes(name), !revoked)
    assert.strictEqual((messages[0] as ReadonlyArray<unknown>)[2], revoked ? undefined : protocol.Succeeded)
  })

  it("C3: a stop reaches its own body and no later one", async () => {
    const { control, deliver, hooks, messages, remote, send } = make()
    await deliver()
    messages.length = 0
    const sequence = send("stopped")
    hooks.entered = () => {
      hooks.entered = undefined
      remote.link.requestStop(sequence)
      assert.isTrue(controlBlock.isEntered(control, sequence), "who raises it knows that the body was entered")
    }
    await deliver()
    assert.notInclude(ran, "stopped", "it was raised before the body's first line")
    send("next")
    remote.link.requestStop(sequence)
    await deliver()
    assert.deepStrictEqual(messages.map((message) => (message as ReadonlyArray<unknown>)[2]), [
      protocol.Stopped,
      protocol.Succeeded
    ])
    assert.strictEqual((messages[1] as ReadonlyArray<unknown>)[3], false)
  })

  it("S4: a value that cannot be decoded fails only its own task", async () => {
    const { deliver, ended, errors, messages, remote, send, toThread } = make()
    await deliver()
    messages.length = 0
    const first = send("intact", { name: "garbled" }, "intact")
    // Inside the bytes that the platform encoded, after all length fields.
    const message = toThread[0]!
    message[Buffer.from(message).indexOf("garbled") - 10] = 0xff
    await deliver()
    const statuses = messages.map((message) => (message as ReadonlyArray<unknown>)[2])
    assert.deepStrictEqual(statuses, [protocol.Succeeded, protocol.NotCloneable, protocol.Succeeded])
    assert.deepInclude((messages[1] as ReadonlyArray<unknown>)[3], { side: "argument", path: "arguments" })
    assert.isUndefined(errors[0])
    const next = send("next")
    const result = ended[0]!
    new DataView(result.buffer).setInt32(1, next, true)
    result[result.length - 1] = 0xff
    remote.onMessage(result)
    assert.strictEqual(errors.length, 1)
    // No further message arrives for an ended task.
    remote.onMessage(result)
    remote.onMessage(ended[1]!)
    assert.strictEqual(errors.length, 1)
    assert.strictEqual(messages.length, 3)
    assert.isAbove(next, first)
  })
})
