import { assert, describe, it } from "@effect/vitest"
import type { Session } from "node:inspector"
import { type Captured, InspectorCapturing, warmUp } from "../../src/internal/watchdog/capture.ts"
import { markName, type Moment, momentName } from "../../src/internal/watchdog/shared.ts"

/** How long the simulated program takes for a command. */
const costs: Readonly<Record<string, number>> = { "Debugger.enable": 12, "Debugger.disable": 1 }

interface Message {
  readonly method: string
  readonly expression: string
  readonly answer: (value: unknown) => void
}

/**
 * A program's thread behind an inspector, as V8 has it. Commands wait until the thread comes to execute them, which
 * takes a processor; a request to pause is ignored while it is paused; answers and events wait until `receive`.
 */
const setup = () => {
  const state = { now: 1000, ran: 0, waited: 0, ownWaited: 0, beats: 0, stalledMillis: 200 }
  let stack: ReadonlyArray<string> = ["spin", "handler"]
  let inbox: ReadonlyArray<Message> = []
  const outbox: Array<() => void> = []
  const timers: Array<{ readonly at: number; readonly callback: () => void }> = []
  const listeners = new Map<string, Set<(event: object) => void>>()
  const log: Array<string> = []
  let isPaused = false
  let toPause = false

  const run = (millis: number): void => {
    state.now += millis
    state.ran += millis
  }
  const emit = (event: string, params: object = {}): void => {
    outbox.push(() => {
      for (const listener of listeners.get(event) ?? []) listener({ params })
    })
  }
  const execute = ({ answer, expression, method }: Message): void => {
    run(costs[method] ?? 0)
    let value: unknown
    if (method === "Debugger.pause") toPause ||= !isPaused
    if (method === "Debugger.disable") toPause = false
    if (method === "Debugger.resume") {
      isPaused = false
      emit("Debugger.resumed")
    }
    if (expression.includes(momentName)) value = { now: state.now, waitedMillis: state.waited } satisfies Moment
    outbox.push(() => answer(value))
  }
  /** The program's thread executes what it was sent; JavaScript is paused if that was asked for. */
  const program = (isJavaScript = true): void => {
    while (inbox.length > 0) {
      const messages = inbox
      inbox = []
      for (const message of messages) execute(message)
    }
    if (!toPause || isPaused || !isJavaScript) return
    toPause = false
    isPaused = true
    emit("Debugger.paused", {
      callFrames: stack.map((name, lineNumber) => {
        const isNode = name.endsWith("Sync")
        return {
          functionName: name,
          url: isNode ? "node:crypto" : "file:///app.ts",
          location: { scriptId: name, lineNumber },
          functionLocation: { scriptId: name, lineNumber: 0 }
        }
      })
    })
  }
  /** The watchdog's thread receives what there is for it. */
  const receive = (): void => {
    while (outbox.length > 0) outbox.shift()!()
    for (const timer of timers.filter(({ at }) => at <= state.now)) {
      timers.splice(timers.indexOf(timer), 1)
      timer.callback()
    }
  }
  const session = {
    post: (method: string, params?: unknown, callback?: unknown) => {
      const answer = typeof params === "function" ? params : callback
      const { expression = "" } = typeof params === "object" ? params as { readonly expression?: string } : {}
      if (expression.includes(markName)) log.push("mark")
      else if (expression === "") log.push(method)
      inbox = [...inbox, {
        method,
        expression,
        answer: (value) => typeof answer === "function" && answer(null, { result: { value } })
      }]
    },
    on: (event: string, listener: (event: object) => void) =>
      listeners.set(event, (listeners.get(event) ?? new Set()).add(listener)),
    off: (event: string, listener: (event: object) => void) => listeners.get(event)!.delete(listener),
    disconnect: () => log.push("disconnect")
  }
  const connect = () => session as unknown as Session
  const capturing = new InspectorCapturing({
    connect,
    now: () => state.now,
    beats: () => state.beats,
    program: () => ({ ranMillis: state.ran, waitedMillis: state.waited }),
    own: () => ({ ranMillis: 0, waitedMillis: state.ownWaited }),
    after: (millis, callback) => timers.push({ at: state.now + millis, callback })
  }, new Map())

  const results: Array<Captured> = []
  return {
    state,
    log,
    results,
    run,
    program,
    receive,
    connect,
    capturing,
    take: () => capturing.take(() => state.stalledMillis, (captured) => results.push(captured)),
    enter: (...names: ReadonlyArray<string>) => {
      stack = names
    },
    /** The program's thread is ready to run, and others have the processor. */
    wait: (millis: number): void => {
      state.now += millis
      state.waited += millis
    },
    /** The watchdog's thread waits for one, while the program runs, or is paused. */
    waitOwn: (millis: number): void => {
      state.ownWaited += millis
      if (isPaused) state.now += millis
      else run(millis)
    },
    /** Both threads run in turns, for so many milliseconds of the program. */
    pass: (millis: number): void => {
      for (let i = 0; i < millis; i++) {
        run(1)
        program()
        receive()
      }
    },
    names: () => results.map(({ frames }) => frames.map(({ name }) => name))
  }
}

describe("a capture by the inspector", () => {
  it("W1: a function on both stacks is named, and the program goes on", () => {
    const { capturing, log, names, pass, results, take } = setup()
    capturing.probe()
    pass(1)
    assert.isTrue(capturing.isClear())
    take()
    pass(10)
    assert.deepStrictEqual(names(), [["spin", "handler"]])
    assert.isFalse(results[0]!.isLate)
    assert.deepStrictEqual(log, [
      "Debugger.enable",
      "Debugger.pause",
      "Debugger.resume",
      "Debugger.pause",
      "mark",
      "Debugger.resume",
      "Debugger.disable",
      "disconnect"
    ])
  })

  it("W1: code that runs after the end of the stall is not named", () => {
    const { capturing, enter, log, names, pass, program, receive, state, take } = setup()
    capturing.probe()
    pass(1)
    take()
    program()
    receive()
    enter("other", "event loop")
    pass(10)
    assert.deepStrictEqual(names(), [[]])
    assert.notInclude(log, "mark")

    // Nor is the second stack taken when there was a heartbeat.
    enter("spin", "handler")
    take()
    program()
    receive()
    state.beats++
    pass(10)
    assert.deepStrictEqual(names(), [[], []])
    assert.lengthOf(log.filter((method) => method === "Debugger.pause"), 3)
  })

  it("W1: the second pause is asked for when the program has left the first, however long it waits for a processor", () => {
    const { capturing, log, names, pass, program, receive, take, wait } = setup()
    capturing.probe()
    pass(1)
    take()
    program()
    receive()
    assert.strictEqual(log.at(-1), "Debugger.resume")
    wait(500)
    receive()
    assert.strictEqual(log.at(-1), "Debugger.resume", "a request would be ignored")
    pass(10)
    assert.deepStrictEqual(names(), [["spin", "handler"]])
  })

  it("W1: the program has run between the two stacks, however long that takes", () => {
    const { capturing, enter, names, pass, program, receive, take, wait } = setup()
    capturing.probe()
    pass(1)
    take()
    // The innermost functions when the stall has just ended.
    program()
    receive()
    for (let i = 0; i < 5; i++) {
      // It goes on, and soon has no processor.
      program()
      receive()
      wait(20)
      receive()
      program()
      receive()
      assert.deepStrictEqual(names(), [])
    }
    enter("other")
    pass(10)
    assert.deepStrictEqual(names(), [[]])
  })

  it("W1: an answer that has waited for a processor is prompt: the stack is one of a running function", () => {
    const { capturing, names, pass, program, receive, results, take, wait } = setup()
    capturing.probe()
    wait(40)
    // The probe is not answered yet.
    take()
    wait(40)
    program()
    wait(10)
    receive()
    pass(10)
    assert.deepStrictEqual(names(), [["spin", "handler"]])
    assert.isFalse(results[0]!.isLate)
  })

  it("W1: after a native call the innermost function is not named, but a blocking call of Node is", () => {
    const late = (...stack: ReadonlyArray<string>) => {
      const { capturing, enter, names, pass, program, receive, results, run, take } = setup()
      enter(...stack)
      capturing.probe()
      run(300)
      take()
      run(300)
      program()
      receive()
      pass(10)
      assert.isTrue(results[0]!.isLate)
      return names()[0]
    }
    assert.deepStrictEqual(late("next", "handler"), ["handler"])
    assert.deepStrictEqual(late("checkSync", "scryptSync", "derive"), ["scryptSync", "derive"])
  })

  it("W1: the second stack is waited for through a native call of any length", () => {
    const { capturing, log, names, pass, program, receive, run, take } = setup()
    capturing.probe()
    pass(1)
    take()
    program()
    receive()
    program()
    receive()
    run(5000)
    receive()
    assert.strictEqual(log.at(-1), "Debugger.pause")
    receive()
    pass(10)
    assert.deepStrictEqual(names(), [["spin", "handler"]])
  })

  it("W2: a program that has only waited for a processor is not named", () => {
    const { capturing, log, names, pass, state, take } = setup()
    capturing.probe()
    pass(1)
    take()
    state.stalledMillis = 0
    pass(10)
    assert.deepStrictEqual(names(), [[]])
    assert.notInclude(log, "mark")
  })

  it("W3: waits of both threads for a processor are no cost, and neither is the time between the stacks", () => {
    const { capturing, pass, program, receive, results, take, wait, waitOwn } = setup()
    capturing.probe()
    pass(1)
    take()
    wait(100)
    program()
    waitOwn(100)
    receive()
    wait(100)
    pass(50)
    assert.approximately(results[0]!.costMillis, 13, 0.1)
  })

  it("W3: the time in which the watchdog reads the scripts of the paused program is a cost", () => {
    const { capturing, pass, program, receive, results, state, take } = setup()
    capturing.probe()
    pass(1)
    take()
    program()
    state.now += 30
    receive()
    pass(50)
    assert.approximately(results[0]!.costMillis, 43, 0.1)
  })

  it("W3: the expected cost is measured by the program's own clock", async () => {
    const { connect, log, program, receive, wait, waitOwn } = setup()
    let cost = 0
    const done = warmUp(connect).then((millis) => {
      cost = millis
    })
    for (let i = 0; i < 20; i++) {
      wait(50)
      program(false)
      waitOwn(50)
      receive()
      await Promise.resolve()
    }
    await done
    assert.approximately(cost, 13, 0.1)
    assert.strictEqual(log.at(-1), "disconnect")
  })

  it("W3: nothing is sent to a session that was closed in the middle of a capture", () => {
    const { capturing, log, pass, program, receive, results, take } = setup()
    capturing.probe()
    pass(1)
    take()
    program()
    receive()
    program()
    receive()
    capturing.close()
    pass(10)
    assert.strictEqual(log.at(-1), "disconnect")
    assert.deepStrictEqual(results, [])
  })
})
