import { assert, describe, it } from "@effect/vitest"
import { Exit } from "effect"
import { chunkIndex, Payloads, placeOf } from "../../../src/internal/scheduler/payloads.ts"
import { PayloadMemory } from "../../../src/internal/wire/payload.ts"
import { PayloadReader } from "../../../src/internal/wire/payloadReader.ts"
import * as protocol from "../../../src/internal/wire/protocol.ts"
import { payloadPlatform } from "../../utils/payloadPlatform.ts"
import { random } from "../../utils/random.ts"
import { reasonOf, setup } from "../../utils/simulatedScheduler.ts"

const make = () => {
  const givenUp: Array<number> = []
  const payloads = new Payloads(payloadPlatform, true, (index) => void givenUp.push(index))
  const reader = new PayloadReader()
  return {
    payloads,
    givenUp,
    read: (address: number, parts?: ReadonlyArray<ArrayBuffer>): unknown =>
      reader.read(new PayloadMemory(payloads.memoryOf(chunkIndex(address)), payloadPlatform), placeOf(address), parts)
  }
}

/** `count` blocks of 64 kB. */
const blocks = (count: number, byte = 1): ReadonlyArray<Uint8Array> =>
  Array.from({ length: count }, () => new Uint8Array(2 ** 16).fill(byte))

describe("payloads", () => {
  it("S4: arguments lie whole in their chunk until they are released, in any order", () => {
    const next = random(2)
    const { payloads, read } = make()
    const live: Array<{ readonly address: number; readonly value: unknown; readonly parts: Array<ArrayBuffer> }> = []
    const end = (): void => {
      const [one] = live.splice(next(live.length), 1)
      assert.deepStrictEqual(read(one!.address, one!.parts), one!.value)
      payloads.release(one!.address)
    }
    for (let i = 0; i < 5000; i++) {
      const value = next(500) === 0
        ? [i, new Uint8Array(next(400_000)).fill(i)]
        : [i, next(50) === 0 ? blocks(next(6)) : "x".repeat(next(200))]
      const address = payloads.write(value)
      assert.isDefined(address)
      live.push({ address: address!, value, parts: payloads.parts })
      assert.strictEqual(payloads.live, live.length)
      while (live.length > 100) end()
    }
    while (live.length > 0) end()
    assert.strictEqual(payloads.live, 0)
  })

  it("S4: a value that a payload cannot represent leaves nothing behind", () => {
    const { payloads, read } = make()
    const before = payloads.write("before")!
    assert.isUndefined(payloads.write([new Uint8Array(2 ** 19), () => 1]))
    assert.isUndefined(payloads.write(() => 1))
    const after = payloads.write("after")!
    assert.strictEqual(payloads.live, 2)
    assert.strictEqual(read(before), "before")
    assert.strictEqual(read(after), "after")
  })

  it("S4: a getter that runs a task while its arguments are written disturbs nothing", () => {
    const { payloads, read } = make()
    let inner: number | undefined = 0
    const address = payloads.write({
      get a() {
        inner = payloads.write("inner")
        return 1
      }
    })
    assert.isUndefined(inner)
    assert.deepStrictEqual(read(address!), { a: 1 })
  })

  it("S4: unused memory is kept up to a limit, and given up by trim", () => {
    const { givenUp, payloads } = make()
    const long = blocks(16)
    for (let i = 0; i < 50; i++) payloads.release(payloads.write(long)!)
    assert.deepStrictEqual(givenUp, [])
    const many = Array.from({ length: 50 }, () => payloads.write(long)!)
    for (const address of many) payloads.release(address)
    // 16 MB of some 100 are kept.
    const early = givenUp.length
    assert.isAbove(early, 30)
    payloads.trim()
    assert.isAbove(givenUp.length, early)
    assert.strictEqual(new Set(givenUp).size, givenUp.length)
  })

  it("S4: arguments of a task that is stopped while its thread reads them stay until it has", () => {
    const { host, scheduler, submit } = setup({ maxThreads: 1 }, payloadPlatform)
    const stopped = submit({ n: 1 })
    const [thread] = host.threads
    thread!.ready()
    assert.isTrue(thread!.claim())
    scheduler.stop(stopped.run, "Abort")
    assert.isDefined(stopped.exit)
    // It would overwrite the first.
    submit({ n: 2 })
    thread!.enter()
    assert.deepStrictEqual(thread!.inbox[0]!.args, [{ n: 1 }])
    thread!.post(protocol.Stopped)
    thread!.enter()
    assert.deepStrictEqual(thread!.inbox[0]!.args, [{ n: 2 }])
    thread!.finish()
    assert.strictEqual(scheduler.payloads!.live, 0)
  })

  it("S4: arguments that wait are read by another thread when theirs has died, and by none when they are taken back", () => {
    const { host, scheduler, submit } = setup({ maxThreads: 1 }, payloadPlatform)
    const tasks = [1, 2, 3].map((n) => submit({ n }))
    host.threads[0]!.ready()
    scheduler.stop(tasks[1]!.run, "Abort")
    assert.strictEqual(scheduler.payloads!.live, 2)
    host.threads[0]!.exit(1)
    host.advance(50)
    host.threads[1]!.ready()
    for (const n of [1, 3]) {
      host.threads[1]!.enter()
      assert.deepStrictEqual(host.threads[1]!.inbox[0]!.args, [{ n }])
      host.threads[1]!.finish({ twice: 2 * n })
    }
    assert.deepStrictEqual(tasks[2]!.exit, Exit.succeed({ twice: 6 }))
    assert.strictEqual(scheduler.payloads!.live, 0)
  })

  it("S4: long bytes are moved with a task that travels alone, and are gone with the thread that was to read them", () => {
    const { host, scheduler, submit } = setup({ maxThreads: 1 }, payloadPlatform)
    const long = (byte: number) => new Uint8Array(2 ** 17).fill(byte)
    const [lost, ...others] = [1, 2, 3].map((n) => submit({ n, bytes: long(n) }))
    host.threads[0]!.ready()
    assert.strictEqual(host.threads[0]!.inbox.length, 1)
    host.threads[0]!.exit(1)
    assert.deepInclude(reasonOf(lost!), { _tag: "WorkerExited", exitCode: 1 })
    host.advance(50)
    host.threads[1]!.ready()
    for (const n of [2, 3]) {
      host.threads[1]!.enter()
      assert.deepStrictEqual(host.threads[1]!.inbox.map(({ args }) => args), [[{ n, bytes: long(n) }]])
      host.threads[1]!.finish(n)
    }
    assert.deepStrictEqual(others.map(({ exit }) => exit), [2, 3].map(Exit.succeed))
    assert.strictEqual(scheduler.payloads!.live, 0)
  })

  it("S4: the threads forget memory that was given up, and get other memory under its number", () => {
    const { host, scheduler, submit } = setup({ maxThreads: 1 }, payloadPlatform)
    submit(0)
    const [thread] = host.threads
    thread!.ready()
    thread!.enter()
    thread!.finish()
    for (let round = 0; round < 3; round++) {
      const numbers = [1, 2, 3].map((n) => 3 * round + n)
      // More than the limit to keep.
      const tasks = numbers.map((n) => submit(blocks(9 * 16, n)))
      for (const n of numbers) {
        thread!.enter()
        assert.isTrue(
          blocks(9 * 16, n).every((block, i) =>
            Buffer.compare(block, (thread!.inbox[0]!.args[0] as Array<Uint8Array>)[i]!) === 0
          )
        )
        thread!.finish(n)
      }
      assert.deepStrictEqual(tasks.map(({ exit }) => exit), numbers.map(Exit.succeed))
    }
    assert.strictEqual(scheduler.payloads!.live, 0)
  })

  it("S4: a result is not overwritten before it has been read", () => {
    const unread: Array<number> = []
    const { host, submit } = setup({ maxThreads: 1 }, {
      ...payloadPlatform,
      text: (memory) => {
        const text = payloadPlatform.text(memory)
        return {
          ...text,
          readWide: (start, end) => {
            unread.push(host.threads[0]!.unreadBytes)
            return text.readWide(start, end)
          }
        }
      }
    })
    const first = submit(0)
    host.threads[0]!.ready()
    // Quick tasks go to the thread in batches.
    host.threads[0]!.enter()
    const tasks = [1, 2, 3].map((n) => submit(n))
    host.threads[0]!.finish(0)
    assert.strictEqual(host.threads[0]!.inbox.length, 3)
    for (const { run } of tasks) {
      host.threads[0]!.enter()
      host.threads[0]!.finish(`Ж${run.id}`)
    }
    assert.deepStrictEqual([first, ...tasks].map(({ exit }) => exit), [
      Exit.succeed(0),
      ...tasks.map(({ run }) => Exit.succeed(`Ж${run.id}`))
    ])
    const length = unread[2]!
    assert.isAbove(length, 0)
    assert.deepStrictEqual(unread, [3 * length, 2 * length, length])
    assert.strictEqual(host.threads[0]!.unreadBytes, 0)
  })
})
