import { assert, describe, it } from "@effect/vitest"
import type { Captured, Capturing } from "../../src/internal/watchdog/capture.ts"
import type { RawFrame } from "../../src/internal/watchdog/frames.ts"
import { type Observed, Observer } from "../../src/internal/watchdog/observer.ts"

const frame: RawFrame = { name: "spin", url: "file:///a.ts", line: 1, column: 2, functionKey: "1:1:0", scriptId: "1" }
const sure: Captured = { frames: [frame], isLate: false, costMillis: 10 }
const none: Captured = { frames: [], isLate: true, costMillis: 10 }

/** A program and its watchdog, whose clocks the test advances. */
const setup = (options: { readonly expectedCaptureMillis?: number; readonly periodMillis?: number } = {}) => {
  const { periodMillis = 25 } = options
  const state = {
    time: 0,
    beats: 0,
    debugged: false,
    gap: 0,
    waited: 0,
    waitedAtBeat: 0,
    ownBusy: 0,
    lastBeat: 0,
    lookedAt: 0,
    delay: periodMillis,
    clear: true
  }
  const asked: Array<{
    readonly at: number
    readonly stalledMillis: () => number
    readonly answer: (captured: Captured) => void
  }> = []
  const sessions = { opened: 0, closed: 0, probed: 0 }
  const reports: Array<Observed> = []
  const announced: Array<number> = []
  const capturing = (): Capturing => {
    sessions.opened++
    return {
      probe: () => sessions.probed++,
      isClear: () => state.clear,
      take: (stalledMillis, answer) => asked.push({ at: state.time, stalledMillis, answer }),
      close: () => sessions.closed++
    }
  }
  const observer = new Observer({
    now: () => state.time,
    lastBeat: () => ({ beats: state.beats, debugged: state.debugged }),
    beatAt: () => state.lastBeat,
    takeGap: () => {
      const { gap } = state
      state.gap = 0
      return gap
    },
    waitedMillis: () => state.waited - state.waitedAtBeat,
    ownBusyMillis: () => state.ownBusy,
    expectedCaptureMillis: () => options.expectedCaptureMillis ?? 10,
    capturing,
    announce: (millis) => announced.push(millis),
    report: (stall) => reports.push(stall)
  }, { periodMillis, thresholdMillis: 100, announceMillis: 1000 })

  const beat = (): void => {
    state.gap = Math.max(state.gap, state.time - state.lastBeat - (state.waited - state.waitedAtBeat))
    state.lastBeat = state.time
    state.waitedAtBeat = state.waited
    state.beats++
  }
  /** Lets time pass. The watchdog ticks when it is due, and the heartbeat comes unless the program is blocked. */
  const pass = (millis: number, blocked = false): void => {
    const end = state.time + millis
    while (state.time < end) {
      state.time++
      if (state.time % periodMillis === 0 && !blocked) beat()
      if (state.time - state.lookedAt >= state.delay) {
        state.lookedAt = state.time
        state.delay = observer.tick()
      }
    }
  }
  /** The watchdog does not run, and then ticks. */
  const stop = (millis: number): void => {
    state.time += millis
    state.lookedAt = state.time
    state.delay = observer.tick()
  }
  return { announced, asked, beat, observer, pass, reports, sessions, state, stop }
}

describe("the watchdog", () => {
  it("W1: a stall is reported when it has ended, with its length and the stack that was taken while it lasted", () => {
    const { asked, pass, reports, sessions } = setup()
    pass(1000)
    assert.strictEqual(sessions.opened, 0)
    pass(300, true)
    assert.lengthOf(asked, 1)
    asked[0]!.answer(sure)
    pass(100, true)
    assert.deepStrictEqual(reports, [], "the program's log is held up, too")
    pass(50)
    assert.lengthOf(reports, 1)
    assert.deepInclude(reports[0], { stack: "While", frames: [frame] })
    assert.approximately(reports[0]!.millis, 390, 25)
    assert.deepInclude(sessions, { opened: 1, closed: 1 })
    assert.isAtLeast(sessions.probed, 2, "it was asked before, again and again")
    pass(1000)
    assert.lengthOf(reports, 1)
  })

  it("W1: a time below the threshold is no stall", () => {
    const { pass, reports, sessions } = setup()
    pass(100)
    pass(75, true)
    pass(1000)
    assert.deepStrictEqual(reports, [])
    assert.strictEqual(sessions.opened, sessions.closed)
  })

  it("W1: a stall that ends between two looks is reported by its length", () => {
    const { pass, reports } = setup({ expectedCaptureMillis: 100 })
    pass(100)
    pass(120, true)
    pass(50)
    assert.lengthOf(reports, 1)
    assert.deepInclude(reports[0], { stack: "NotTaken", frames: [] })
  })

  it("W1: a stack that comes only after the stall is waited for, and one that says nothing is not shown", () => {
    const { asked, pass, reports, sessions } = setup()
    pass(100)
    pass(400, true)
    pass(50)
    assert.deepStrictEqual(reports, [])
    asked[0]!.answer({ ...sure, isLate: true })
    assert.deepInclude(reports[0], { stack: "After", frames: [frame] })

    pass(100)
    pass(400, true)
    pass(50)
    asked[1]!.answer(none)
    assert.deepInclude(reports[1], { stack: "Unknown", frames: [] })

    pass(100)
    pass(400, true)
    pass(4900)
    assert.lengthOf(reports, 2)
    pass(200)
    assert.deepInclude(reports[2], { stack: "NotTaken" }, "one that never comes is given up")
    assert.strictEqual(sessions.opened, sessions.closed)
    asked[2]!.answer(sure)
    assert.lengthOf(reports, 3)
  })

  it("W1: one that lasts is announced once, while it does", () => {
    const { announced, asked, pass, reports } = setup()
    pass(100)
    pass(200, true)
    asked[0]!.answer(sure)
    pass(790, true)
    assert.deepStrictEqual(announced, [])
    pass(5000, true)
    assert.lengthOf(announced, 1)
    assert.approximately(announced[0]!, 1000, 25)
    assert.deepStrictEqual(reports, [])
    pass(100)
    // A name is waited for, but not without end.
    pass(2950, true)
    assert.lengthOf(announced, 1)
    pass(5000, true)
    assert.lengthOf(announced, 2)
    assert.approximately(announced[1]!, 3000, 25)
  })

  it("W1: the close of the watchdog tells of the stall that has just ended", () => {
    const { beat, observer, pass, reports } = setup()
    pass(100)
    pass(400, true)
    beat()
    observer.tick()
    assert.isTrue(observer.isEnding)
    observer.close()
    assert.lengthOf(reports, 1)
  })

  it("W2: a process that was stopped, or a machine that slept, is no alarm", () => {
    const { asked, pass, reports, stop } = setup()
    pass(100)
    stop(60_000)
    pass(10)
    stop(30_000)
    pass(1000)
    assert.deepStrictEqual(reports, [])
    assert.deepStrictEqual(asked, [])
  })

  it("W2: nor is a stop at any time, of any length, after which the program needs a moment", () => {
    for (const periodMillis of [25, 50]) {
      for (let before = 0; before < 100; before++) {
        for (const millis of [10, 20, 30, 40, 50, 60, 75, 90, 110, 150, 200, 60_000]) {
          const { asked, beat, pass, reports, stop } = setup({ periodMillis })
          pass(200 + before)
          stop(millis)
          pass(15, true)
          beat()
          pass(1000)
          assert.deepStrictEqual(reports, [], `${millis} ms, ${before} ms behind a heartbeat`)
          assert.deepStrictEqual(asked, [], `${periodMillis}: ${millis} ms, ${before} ms behind a heartbeat`)
        }
      }
    }
  })

  it("W2: a stop right after a heartbeat is no part of the stall that follows", () => {
    for (let before = 0; before < 25; before++) {
      const { beat, pass, reports, stop } = setup({ expectedCaptureMillis: 1000 })
      pass(200 + before)
      beat()
      stop(60_000)
      pass(300, true)
      pass(50)
      assert.lengthOf(reports, 1)
      assert.approximately(reports[0]!.millis, 300, 50)
    }
  })

  it("W2: nor is a stop before a heartbeat taken off the stall that follows", () => {
    const { beat, pass, reports, state, stop } = setup({ expectedCaptureMillis: 1000 })
    pass(200)
    state.time += 60_000
    beat()
    stop(1)
    pass(300, true)
    pass(50)
    assert.lengthOf(reports, 1)
    assert.approximately(reports[0]!.millis, 300, 50)
  })

  it("W1: a watchdog that no longer knows its own time still finds a stall", () => {
    const { asked, pass, state } = setup()
    state.ownBusy = 60_000
    pass(200)
    pass(10, true)
    state.ownBusy = 0
    pass(390, true)
    assert.lengthOf(asked, 1)
  })

  it("W2: of a stall in which the process was stopped, the rest is reported", () => {
    const { asked, pass, reports, stop } = setup()
    pass(100)
    pass(200, true)
    asked[0]!.answer(sure)
    stop(60_000)
    pass(200, true)
    pass(50)
    assert.lengthOf(reports, 1)
    assert.approximately(reports[0]!.millis, 390, 50)
  })

  it("W2: the time in which the program's thread waits for a processor is not attributed to it", () => {
    const { pass, reports, state } = setup({ expectedCaptureMillis: 1000 })
    pass(100)
    for (let i = 0; i < 100; i++) {
      pass(25, true)
      state.waited += 25
    }
    pass(100)
    assert.deepStrictEqual(reports, [])
    // Half of the time it is blocked.
    for (let i = 0; i < 20; i++) {
      pass(25, true)
      if (i % 2 === 0) state.waited += 25
    }
    pass(100)
    assert.lengthOf(reports, 1)
    assert.approximately(reports[0]!.millis, 250, 50)
  })

  it("W2: nor is a wait that began before the stall was suspected", () => {
    const { asked, pass, reports, state } = setup()
    pass(100)
    pass(30, true)
    state.waited += 30
    pass(90, true)
    assert.deepStrictEqual(asked, [])
    pass(100)
    assert.deepStrictEqual(reports, [])
  })

  it("W2: nor is a wait that is known only when it is over: no stack is shown for it, and nothing is reported", () => {
    const { asked, pass, reports, sessions, state } = setup()
    pass(100)
    pass(500, true)
    assert.lengthOf(asked, 1)
    state.waited += 470
    assert.strictEqual(asked[0]!.stalledMillis(), 0)
    pass(100)
    assert.deepStrictEqual(reports, [])
    assert.strictEqual(sessions.opened, sessions.closed)
    asked[0]!.answer(sure)
    pass(1000)
    assert.deepStrictEqual(reports, [])
  })

  it("W1: a stack that was asked for too early is taken again", () => {
    const { asked, pass, reports, state } = setup()
    pass(100)
    pass(150, true)
    state.waited += 100
    assert.strictEqual(asked[0]!.stalledMillis(), 0)
    asked[0]!.answer(none)
    pass(50)
    assert.deepStrictEqual(reports, [])

    pass(150, true)
    state.waited += 100
    assert.strictEqual(asked[1]!.stalledMillis(), 0)
    asked[1]!.answer(none)
    pass(400, true)
    assert.lengthOf(asked, 3)
    pass(50)
    asked[2]!.answer(sure)
    assert.deepInclude(reports[0], { stack: "While" })

    pass(150, true)
    state.waited += 100
    assert.strictEqual(asked[3]!.stalledMillis(), 0)
    asked[3]!.answer(none)
    pass(70, true)
    pass(50)
    assert.deepInclude(reports[1], { stack: "NotTaken" })
  })

  it("W1: while the watchdog alone is busy or waits for a processor, the program's time counts", () => {
    const { asked, pass, reports, state, stop } = setup()
    pass(100)
    pass(50, true)
    for (let i = 0; i < 10; i++) {
      state.ownBusy += 40
      stop(Math.ceil(state.lookedAt + state.delay - state.time) + 40)
    }
    assert.lengthOf(asked, 1)
    assert.approximately(asked[0]!.stalledMillis(), state.time - 100, 30)
    asked[0]!.answer(sure)
    const { time } = state
    pass(50)
    assert.lengthOf(reports, 1)
    assert.approximately(reports[0]!.millis, time - 110, 50)
  })

  it("W1: a stall that lasts is found by a watchdog that is late each time", () => {
    const { asked, pass, state, stop } = setup({ periodMillis: 50 })
    pass(200)
    for (let i = 0; i < 20; i++) stop(Math.ceil(state.lookedAt + state.delay - state.time) + 10)
    assert.lengthOf(asked, 1)
  })

  it("W2: there is no alarm while an inspector is open, also if it is opened in the middle of a stall", () => {
    const { asked, beat, pass, reports, sessions, state } = setup()
    state.debugged = true
    beat()
    pass(5000, true)
    assert.strictEqual(sessions.opened, 0)
    state.debugged = false
    beat()
    pass(100)
    pass(400, true)
    assert.lengthOf(asked, 1)
    state.debugged = true
    beat()
    pass(400, true)
    pass(100)
    state.debugged = false
    beat()
    pass(1000)
    asked[0]!.answer(sure)
    assert.deepStrictEqual(reports, [])
    assert.strictEqual(sessions.opened, sessions.closed)
  })

  it("W3: a stack is taken when the stall is ten times as long as that takes, as it was measured last", () => {
    const { asked, pass, state } = setup({ expectedCaptureMillis: 40 })
    pass(100)
    const held = (): number => {
      const before = state.time
      const count = asked.length
      while (asked.length === count && state.time < before + 10_000) pass(5, true)
      return state.time - before
    }
    assert.approximately(held(), 400, 30)
    asked[0]!.answer({ ...sure, costMillis: 90 })
    pass(100)
    assert.approximately(held(), 900, 30)
    asked[1]!.answer({ ...sure, costMillis: 2 })
    pass(100)
    assert.approximately(held(), 100, 30, "and not before the threshold")
  })

  it("W3: a capture that was dear because the machine was busy is not held against those that follow for ever", () => {
    const { asked, pass } = setup()
    pass(100)
    pass(400, true)
    asked[0]!.answer({ ...sure, costMillis: 20 })
    pass(100)
    pass(400, true)
    asked[1]!.answer({ ...sure, costMillis: 200 })
    pass(100)
    for (let stall = 0; stall < 8; stall++) {
      pass(300, true)
      pass(100)
    }
    assert.lengthOf(asked, 2)
    // And never cheaper than it has been.
    for (let stall = 0; stall < 8; stall++) {
      pass(300, true)
      asked[2]?.answer({ ...sure, costMillis: 20 })
      pass(100)
    }
    assert.isAtLeast(asked.length, 3)
  })

  it("W3: one that said nothing is taken again, if the stall is long enough for all; ten times at most", () => {
    const { asked, pass, state } = setup({ expectedCaptureMillis: 10 })
    pass(100)
    const before = state.time
    for (let answered = 0; answered < 3 && state.time < 100_000;) {
      pass(5, true)
      if (asked.length > answered) asked[answered++]!.answer({ ...none, costMillis: 30 })
    }
    assert.isAtLeast(state.time - before, 10 * (30 + 30 + 30) - 50)
    for (let answered = 3; state.time < 60_000;) {
      pass(5, true)
      if (asked.length > answered) asked[answered++]!.answer({ ...none, costMillis: 30 })
    }
    assert.lengthOf(asked, 10)
  })

  it("W3: a moment is waited for in which the program answers at once, or not at all; but not without end", () => {
    const { asked, pass, state } = setup({ expectedCaptureMillis: 20 })
    state.clear = false
    pass(100)
    pass(300, true)
    assert.lengthOf(asked, 0)
    state.clear = true
    pass(25, true)
    assert.lengthOf(asked, 1)
    asked[0]!.answer({ ...sure, costMillis: 20 })
    pass(100)
    state.clear = false
    pass(500, true)
    assert.lengthOf(asked, 2)
  })

  it("W3: what the captures have added is not counted", () => {
    const { asked, pass, reports } = setup()
    pass(100)
    pass(200, true)
    asked[0]!.answer({ ...sure, costMillis: 100 })
    pass(200, true)
    pass(50)
    assert.approximately(reports[0]!.millis, 300, 30)
  })
})
