/** Both halves over shared flags and a channel in memory, which let the test act between any two steps of theirs. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Task } from "effect-blocking"
import * as RemoteThread from "effect-blocking/RemoteThread"
import { deserialize, serialize } from "node:v8"
import { threadContext } from "../src/internal/thread/context.ts"
import * as controlBlock from "../src/internal/wire/controlBlock.ts"
import * as protocol from "../src/internal/wire/protocol.ts"
import * as Version from "../src/internal/wire/version.ts"

const ran: Array<string> = []
const body = Task.make(import.meta.url, "body", (name: string) => {
  ran.push(name)
  return Task.stopRequested()
})

afterAll(() => {
  threadContext.control = threadContext.refresh = undefined
})

/** Where the cells of the flags are. */
const Revoke = 4
const Claimed = 8
const Entered = 12

const make = () => {
  const bytes = new Uint8Array(RemoteThread.sharedFlagsBytes)
  const cells = new Int32Array(bytes.buffer)
  /** Called when the thread's half has written there, or is about to read. */
  const hooks: { claimed?: () => void; entered?: (() => void) | undefined; look?: () => void } = {}
  const flags: RemoteThread.SharedFlags = {
    read: (target, position) => target.set(bytes.subarray(position, position + target.length)),
    write: (source, position) => bytes.set(source, position)
  }
  const flagsOfThread: RemoteThread.SharedFlags = {
    read: (target, position) => {
      hooks.look?.()
      flags.read(target, position)
    },
    write: (source, position) => {
      flags.write(source, position)
      // As the thread writes it: the claim alone first, then from the claim on.
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
    now: () => ++time
  }
  const toThread: Array<unknown> = []
  const messages: Array<unknown> = []
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
    send: (message) => void toThread.push(message)
  })
  const thread = RemoteThread.serve({
    ...common,
    start: toThread.shift(),
    flags: flagsOfThread,
    send: (message) => remote.onMessage(message),
    load: (url) => {
      loaded.push(url)
      return Promise.resolve()
    },
    heapUsed: () => 123,
    exit: () => {}
  })
  let sequence = 0
  remote.post([protocol.Define, 0, body.module, body.name], undefined)
  /** As the scheduler sends a task. */
  const send = (name: unknown): number => {
    controlBlock.offer(control, ++sequence, 0, [name])
    const args = typeof name === "string" ? [name] : common.encode([name])
    remote.post([protocol.Run, sequence, 1, 0, args], undefined)
    return sequence
  }
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
  /** Lets the thread take what it was sent. */
  const deliver = async () => {
    for (const message of toThread.splice(0)) thread.onMessage(message)
    await turn()
  }
  return { cells, control, deliver, errors, hooks, loaded, messages, remote, send, toThread }
}

describe("RemoteThread", { concurrent: false }, () => {
  it("a task that was sent is the thread's when that has it, running from its body's entry on", async () => {
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

  it("C1: revoked before the thread has it, the body never runs, and its module is not loaded", async () => {
    const { deliver, loaded, messages, remote, send } = make()
    await deliver()
    messages.length = 0
    const sequence = send("revoked")
    assert.isTrue(remote.link.revoke(sequence))
    await deliver()
    assert.notInclude(ran, "revoked")
    assert.deepStrictEqual(loaded, [])
    assert.deepStrictEqual(messages, [[protocol.Progress, sequence, protocol.Stopped, undefined]])
  })

  it("C1: wanted back when the thread has claimed it, it stays there and sees no stop", async () => {
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

  it.each([true, false])("C1: if both come at once, the thread waits for the scheduler's word: %s", async (revoked) => {
    const { cells, deliver, hooks, messages, send } = make()
    await deliver()
    messages.length = 0
    const name = `both ${revoked}`
    const sequence = send(name)
    // The scheduler's half has just written that it wants the task back …
    cells[Revoke / 4] = sequence
    let looks = 0
    // … and only now looks whether it was claimed.
    hooks.look = () => {
      if (++looks === 3) cells[Revoke / 4] = revoked ? -sequence : 0
    }
    await deliver()
    assert.isAtLeast(looks, 3)
    assert.strictEqual(ran.includes(name), !revoked)
    assert.strictEqual((messages[0] as ReadonlyArray<unknown>)[2], revoked ? protocol.Stopped : protocol.Succeeded)
  })

  it("C3: a stop reaches the body that it is for, and no later one", async () => {
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

  it("S4: what cannot be decoded fails its own task", async () => {
    const { deliver, errors, messages, remote, send, toThread } = make()
    await deliver()
    messages.length = 0
    send({ name: "garbled" })
    const message = toThread[0] as Array<unknown>
    toThread[0] = message.with(2, new Uint8Array(3))
    await deliver()
    const [, , status, value] = messages[0] as ReadonlyArray<unknown>
    assert.strictEqual(status, protocol.NotCloneable)
    assert.deepInclude(value, { side: "argument", path: "arguments" })
    assert.isUndefined(errors[0])
    const next = send("next")
    remote.onMessage([next, 1, 2, 0, 0, protocol.Succeeded, new Uint8Array(3)])
    assert.strictEqual(errors.length, 1)
    // Of a task that has ended nothing more is told.
    remote.onMessage([next, 1, 2, 0, 0, protocol.Succeeded, new Uint8Array(3)])
    assert.strictEqual(errors.length, 1)
  })
})
