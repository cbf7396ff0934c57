import { assert, describe, it } from "@effect/vitest"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { onTestFinished } from "vitest"
import {
  openProcessor,
  openProcessorNow,
  type ProcessorReader,
  threadFolder
} from "../../src/internal/watchdog/processor.ts"

const opened = (processor: ProcessorReader) => {
  onTestFinished(processor.close)
  return processor.read
}

/** A thread as Linux shows it. */
const setup = () => {
  const folder = mkdtempSync(join(tmpdir(), "effect-blocking-"))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const state = { now: 1000 }
  const show = (status: "R" | "S", ranMillis: number, waitedMillis: number): void => {
    writeFileSync(join(folder, "schedstat"), `${ranMillis * 1e6} ${waitedMillis * 1e6} 17\n`)
    writeFileSync(join(folder, "stat"), `4711 (a) S (b) ${status} 1 4711 4711 0 -1\n`)
  }
  return { folder, state, show, open: () => opened(openProcessorNow(folder, () => state.now)) }
}

describe("the processor time of a thread", () => {
  it("W2: it is read from the kernel, and 0 where it is not known", () => {
    const { folder, show } = setup()
    show("R", 20, 5)
    assert.deepStrictEqual(opened(openProcessor(folder))(), { ranMillis: 20, waitedMillis: 5 })
    assert.deepStrictEqual(opened(openProcessor(undefined))(), { ranMillis: 0, waitedMillis: 0 })
    assert.deepStrictEqual(opened(openProcessor(join(folder, "gone")))(), { ranMillis: 0, waitedMillis: 0 })
  })

  it("W2: once closed, or when its thread has ended, it reads no file that is opened after it", () => {
    const { folder, show } = setup()
    show("R", 20, 5)
    const processor = openProcessor(folder)
    processor.read()
    processor.close()
    const other = opened(openProcessor(folder))
    assert.deepStrictEqual(other(), { ranMillis: 20, waitedMillis: 5 })
    assert.deepStrictEqual(processor.read(), { ranMillis: 0, waitedMillis: 0 })
    processor.close()
    assert.deepStrictEqual(other(), { ranMillis: 20, waitedMillis: 5 }, "closed only once")
  })

  it.skipIf(process.platform !== "linux")("W2: it is known of this thread", () => {
    const read = opened(openProcessor(threadFolder()))
    const before = read()
    while (read().ranMillis === before.ranMillis);
    assert.isAbove(read().ranMillis, before.ranMillis)
  })

  it("W2: a wait that has not ended counts, too: the thread is ready, and neither of its times changes", () => {
    const { open, show, state } = setup()
    show("R", 20, 5)
    const processor = open()
    assert.deepStrictEqual(processor(), { ranMillis: 20, waitedMillis: 5 })
    state.now += 9
    assert.strictEqual(processor().waitedMillis, 5, "it may run, and the kernel has not counted that yet")
    state.now += 20
    assert.strictEqual(processor().waitedMillis, 34)
    state.now += 20
    assert.strictEqual(processor().waitedMillis, 54)
    show("R", 20, 60)
    assert.strictEqual(processor().waitedMillis, 60)
    state.now += 20
    show("R", 40, 60)
    assert.strictEqual(processor().waitedMillis, 60)
  })

  it("W2: a kernel that does not count makes no wait of a thread that runs", () => {
    const { open, show, state } = setup()
    show("R", 0, 0)
    const processor = open()
    for (let i = 0; i < 10; i++) {
      assert.strictEqual(processor().waitedMillis, 0)
      state.now += 20
    }
  })

  it("W2: a thread that sleeps does not wait, and its sleep is no part of a wait that follows", () => {
    const { open, show, state } = setup()
    show("S", 20, 5)
    const processor = open()
    processor()
    for (let i = 0; i < 10; i++) {
      state.now += 20
      assert.strictEqual(processor().waitedMillis, 5)
    }
    show("R", 20, 5)
    state.now += 20
    assert.strictEqual(processor().waitedMillis, 25)
  })
})
