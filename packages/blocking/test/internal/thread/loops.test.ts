/** The loops of a thread, by a clock that the test moves. */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { type LoopEnvironment, loopOf as loopOfThread } from "../../../src/internal/thread/loops.ts"
import { ItemEnded } from "../../../src/internal/thread/outcome.ts"
import * as controlBlock from "../../../src/internal/wire/controlBlock.ts"
import * as wire from "../../../src/internal/wire/loops.ts"

const makeClock = () => {
  const control = controlBlock.make()
  const clock = { now: 0, stop: false, began: [] as Array<number> }
  const environment: LoopEnvironment = {
    control,
    now: () => clock.now,
    isStopRequested: () => clock.stop,
    onItem: (now) => clock.began.push(now)
  }
  return { clock, control, environment }
}

const loopOf = (
  kind: wire.LoopKind,
  body: (...args: Array<unknown>) => unknown,
  codec: undefined,
  environment: LoopEnvironment,
  isFirst = true
) => loopOfThread(kind, body, codec, environment, isFirst)

const times = { limitMillis: 16, timed: false }

const chunk = (items: ReadonlyArray<unknown>, given: Partial<wire.LoopTimes> = {}): wire.ChunkArguments => [
  100,
  items,
  { ...times, ...given },
  [],
  false
]

const sliceOf = (length: number, given: Partial<wire.Slice> = {}): wire.Slice => {
  const state = new Int32Array(new SharedArrayBuffer(4 * (wire.FirstLane + 2)))
  state[wire.Bound] = length
  return {
    state,
    lane: 0,
    lanes: 2,
    numbers: undefined,
    results: new Float64Array(length),
    kinds: new Uint8Array(length),
    chunkMillis: 0.5,
    chunkSize: 0,
    meanMillis: 0,
    limitMillis: 10,
    timed: false,
    ...given
  }
}

const cursorOf = (end: number): Int32Array => Int32Array.of(0, end)

describe("loops", () => {
  it("R1 a chunk that takes long gives its remaining items back", () => {
    const { clock, environment } = makeClock()
    const map = loopOf(
      "map",
      (item) => {
        clock.now += item as number
        return String(item)
      },
      undefined,
      environment
    )
    assert.deepStrictEqual(map(chunk([1, 1, 20, 1, 1])).slice(0, 3), [22, 3, ["1", "1", "20"]])
    assert.deepStrictEqual(map(chunk([1, 1, 20, 1, 1], { limitMillis: Infinity }))[1], 5)
  })

  it("R1 numbers come back as numbers, and flags of a filter as flags", () => {
    const { environment } = makeClock()
    const double = loopOf("map", (item) => (item as number) * 2, undefined, environment)
    assert.deepStrictEqual(double(chunk([1, 2]))[2], Float64Array.of(2, 4))
    const isOdd = loopOf("filter", (item) => (item as number) % 2 === 1, undefined, environment)
    assert.deepStrictEqual(isOdd(chunk([1, 2, 3]))[2], Uint8Array.of(1, 0, 1))
    const find = loopOf("find", (item) => item === 2, undefined, environment)
    assert.deepStrictEqual(find(chunk([1, 2, 3])).slice(0, 3), [0, 2, 101])
    assert.deepStrictEqual(find(chunk([1, 3])).slice(0, 3), [0, 2, -1])
  })

  it("R2 a time limit restarts with each item", () => {
    const { clock, environment } = makeClock()
    const each = loopOf(
      "each",
      () => {
        clock.now += 3
      },
      undefined,
      environment
    )
    each(chunk([1, 2, 3], { timed: true }))
    assert.deepStrictEqual(clock.began, [3, 6, 9])
    clock.began.length = 0
    each(chunk([1, 2, 3]))
    assert.deepStrictEqual(clock.began, [])
  })

  it("R2 while an item runs, the control block names it; afterwards none", () => {
    const { control, environment } = makeClock()
    const seen: Array<number | undefined> = []
    loopOf("each", () => seen.push(controlBlock.item(control)), undefined, environment)(chunk([1, 2, 3]))
    assert.deepStrictEqual(seen, [100, 101, 102])
    assert.isUndefined(controlBlock.item(control))
  })

  it("R2 an item that fails ends the loop, by its index", () => {
    const { environment } = makeClock()
    const fails = loopOf("map", (item) => item === 2 ? Result.fail("two") : item, undefined, environment)
    try {
      fails([100, [0, 1, 2, 3], times, [], true])
      assert.fail("it did not end")
    } catch (ended) {
      assert.instanceOf(ended, ItemEnded)
      assert.deepInclude(ended, { index: 102, before: [0, 1] })
    }
    // In shared memory it ends the loops of the other threads as well.
    const slice = sliceOf(100, { chunkSize: 10 })
    assert.throws(() =>
      loopOf(
        "each",
        (item) => {
          if (item === 25) throw new Error("no")
        },
        undefined,
        environment
      )([
        cursorOf(100),
        slice,
        []
      ])
    )
    assert.strictEqual(slice.state[wire.Bound], 25)
    assert.strictEqual(slice.state[wire.FirstLane], 25)
  })

  it("R2 no item begins after one that has failed elsewhere", () => {
    const { environment } = makeClock()
    const slice = sliceOf(100, { chunkSize: 50 })
    const ran: Array<number> = []
    loopOf(
      "each",
      (item) => {
        ran.push(item as number)
        if (item === 3) wire.lowerBound(slice.state, 7)
      },
      undefined,
      environment
    )([cursorOf(100), slice, []])
    assert.deepStrictEqual(ran, [0, 1, 2, 3, 4, 5, 6])
  })

  it("R3 two threads take from one cursor: each item once", () => {
    const { environment } = makeClock()
    const [cursor, slice] = [cursorOf(1000), sliceOf(1000)]
    const ran = new Map<number, number>()
    let inner = 0
    const each = loopOf(
      "each",
      (item) => {
        ran.set(item as number, (ran.get(item as number) ?? 0) + 1)
        // The other thread comes in between.
        if (inner++ === 10) each([cursor, { ...slice, lane: 1 }, []])
      },
      undefined,
      environment
    )
    const [, done] = each([cursor, slice, []])
    assert.strictEqual(ran.size, 1000)
    assert.deepStrictEqual(new Set(ran.values()), new Set([1]))
    assert.isBelow(done, 1000)
  })

  it("R3 a slice ends when its time is over, and gives up a part that takes long", () => {
    const { clock, environment } = makeClock()
    const cursor = cursorOf(10_000)
    const each = loopOf(
      "each",
      () => {
        clock.now += 0.25
      },
      undefined,
      environment
    )
    const [millis, done, , , rest] = each([cursor, sliceOf(10_000), []])
    assert.isAtLeast(millis, 10)
    assert.isBelow(millis, 12)
    assert.strictEqual(cursor[wire.Next], done)
    assert.isUndefined(rest)
    // All are expected to be short, and one is not.
    const long = loopOf(
      "each",
      (item) => {
        clock.now += item === 20 ? 100 : 0.001
      },
      undefined,
      environment
    )
    const next = cursorOf(10_000)
    const [, before, , , left] = long([next, sliceOf(10_000, { meanMillis: 0.001 }), []])
    assert.strictEqual(next[wire.Next], left![1])
    assert.strictEqual(before, left![0])
    assert.isAtLeast(left![0], 21)
    assert.isBelow(left![0], left![1])
  })

  it("R3 values other than numbers come with their indices, about a thousand at once", () => {
    const { environment } = makeClock()
    const slice = sliceOf(5000)
    const cursor = cursorOf(5000)
    const texts = loopOf(
      "map",
      (item) => item === 3 ? 4.5 : item === 4 ? null : `${String(item)}`,
      undefined,
      environment
    )
    const [, done, values, indices] = texts([cursor, slice, []])
    assert.strictEqual((values as Array<unknown>).length, 1024)
    assert.deepStrictEqual(indices!.slice(0, 4), [0, 1, 2, 5])
    assert.strictEqual(done, 1026)
    assert.strictEqual(slice.results![3], 4.5)
    assert.strictEqual(slice.kinds![4], wire.NullKind)
  })

  it("R4 a thread tells which of its runs was the first", () => {
    const { environment } = makeClock()
    const kinds: ReadonlyArray<wire.LoopKind> = ["map", "each", "filter", "find", "fold", "range"]
    for (const kind of kinds) {
      const inChunks = loopOf(kind, () => 1, undefined, environment)
      const items = kind === "range" ? 3 : [1, 2, 3]
      const runs = [0, 1, 2].map(() => inChunks([0, items, times, [], false]))
      assert.deepStrictEqual(runs.map((run) => run[5]), [true, false, false], kind)
      const inSlices = loopOf(kind, () => 1, undefined, environment)
      const slices = [0, 1, 2].map(() => inSlices([cursorOf(10), sliceOf(10), []]))
      assert.deepStrictEqual(slices.map((run) => run[5]), [true, false, false], kind)
      const known = loopOf(kind, () => 1, undefined, environment, false)
      assert.isFalse(known([0, items, times, [], false])[5], kind)
    }
  })

  it("R5 a stop ends it between two items", () => {
    const { clock, environment } = makeClock()
    const ran: Array<unknown> = []
    const each = loopOf(
      "each",
      (item) => {
        ran.push(item)
        clock.stop = item === 2
      },
      undefined,
      environment
    )
    assert.throws(() => each(chunk([1, 2, 3])), /asked to stop/)
    assert.deepStrictEqual(ran, [1, 2])
  })
})
