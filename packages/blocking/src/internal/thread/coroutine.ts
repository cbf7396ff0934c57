/** A body that is a generator: run until it has a chunk of elements, left at its `yield`, and entered again. */
import { compact, explain, findUncloneable, NotCloneableError, refuseLost } from "../wire/cloneable.ts"
import * as protocol from "../wire/protocol.ts"
import type { Caller } from "./calls.ts"
import { threadContext } from "./context.ts"
import type { Input } from "./input.ts"

/** A chunk is sent when it has this number of elements: more gain nothing. Measured. */
const maxElements = 1024

/** The first half of a long chunk is sent while the second is made. */
const halfElements = maxElements / 2

/** The first element travels alone; each full chunk lets the next be this many times as long. */
const growth = 16

/** … or when its elements took this long to make. Arbitrary: many times the cost of a message. */
const maxMillis = 1

/** … or when they take about this number of bytes. */
const maxBytes = 65_536

/** How many chunks one advance makes, at most: then other tasks run, on both sides. Arbitrary: a few milliseconds. */
const maxChunks = 8

/** How an advance of the body ended. */
export type Advanced =
  /** At a `yield`. */
  | { readonly _tag: "Yielded" }
  /** By its end; `value` is what it returned. */
  | { readonly _tag: "Returned"; readonly value: unknown }
  /** By its close, on request. */
  | { readonly _tag: "Closed" }

const yielded: Advanced = { _tag: "Yielded" }
const closed: Advanced = { _tag: "Closed" }

/** Stacks are cut at its name, as in `definitions.ts`. */
const effectBlockingBody = (
  generator: Iterator<unknown, unknown>,
  answer: protocol.AnswerMessage | undefined
): IteratorResult<unknown, unknown> => generator.next(answer)

/** The environment of an advance. */
export interface Advance {
  readonly now: () => number
  readonly isStopRequested: () => boolean
  /** Whether one more chunk is wanted before the body is left. */
  readonly mayGoOn: () => boolean
  readonly caller: Caller
}

export class Coroutine {
  /** The number by which it is resumed, 0 until it is first left. */
  id = 0
  /** Elements that it has yielded since its last entry. */
  elements: Array<unknown> = []
  /** Why its next element cannot be sent: the body has to be closed. */
  uncloneable: protocol.NotCloneableValue | undefined
  /** Values that it has marked by `Task.move`, in this advance or an earlier one. */
  moved: WeakSet<object> | undefined
  /** How long the next chunk may be, and how many elements were sent before it. */
  private limit = 1
  private sent = 0
  /** How many of its notifications are not known to be handled. */
  unhandled = 0
  /** Whether elements of this advance have been sent already. */
  private hasFlushed = false
  /** The call for whose answer it was left, 0 for none, and the answer once it has arrived. */
  asked = 0
  private answer: protocol.AnswerMessage | undefined
  private readonly generator: Iterator<unknown, unknown>
  private readonly input: Input | undefined

  constructor(generator: Iterator<unknown, unknown>, input: Input | undefined) {
    this.generator = generator
    this.input = input
  }

  /** Runs the body until it has a chunk, calls the program, or ends. Throws the body's error; `elements` are those yielded before. */
  advance({ caller, isStopRequested, mayGoOn, now }: Advance): Advanced {
    const { generator } = this
    let { answer, limit } = this
    let chunks = 1
    let count = 0
    this.elements = []
    // Resumed by an answer, it still serves the same pull.
    this.hasFlushed &&= answer !== undefined
    this.asked = 0
    this.answer = undefined
    let end = now() + maxMillis
    let bytes = 0
    let objectBytes = 0
    while (true) {
      const next = effectBlockingBody(generator, answer)
      answer = undefined
      if (next.done === true) {
        this.dropLost()
        return { _tag: "Returned", value: next.value }
      }
      if (caller.isQuestion(next.value)) {
        try {
          this.asked = caller.ask(next.value, (answer) => {
            this.answer = answer
          })
        } catch (error) {
          answer = refusal(error)
          continue
        }
        this.hasFlushed ||= this.elements.length > 0
        break
      }
      const value = compact(next.value)
      // `this.elements` is replaced when elements are sent before a wait.
      this.elements.push(value)
      count++
      if (typeof value === "object" && value !== null) {
        // Elements are much alike: not every one is measured.
        if (count <= alwaysMeasured || count % measuredEvery === 0 || ArrayBuffer.isView(value)) {
          objectBytes = sizeOf(value, measuredDepth)
        }
        bytes += objectBytes
      } else {
        bytes += sizeOf(value, 0)
      }
      const isFull = count >= limit
      if (isFull) this.limit = Math.min(limit * growth, maxElements)
      if (isFull || bytes >= maxBytes || this.hasFlushed || now() >= end) {
        if (this.hasFlushed || ++chunks > maxChunks || !mayGoOn() || !this.sendElements(caller)) break
        limit = this.limit
        end = now() + maxMillis
        bytes = 0
        count = 0
      } else if (count === halfElements && !this.sendElements(caller)) break
      if (isStopRequested()) return this.close(caller)
    }
    this.dropLost()
    return yielded
  }

  /** Sends the elements while the body runs. `false`: the body has to be left, because one of them cannot cross. */
  private sendElements(caller: Caller): boolean {
    this.dropLost()
    if (this.uncloneable !== undefined || !caller.sendElements(this.elements)) return false
    this.onSent()
    return true
  }

  /** Ends the body where it was left: its `finally` blocks run. Elements that they yield are ignored; their calls are answered by a stop. */
  close(caller: Caller): Advanced {
    const { generator } = this
    caller.forget(this.asked)
    let next = generator.return?.()
    while (next !== undefined && next.done !== true) {
      next = effectBlockingBody(generator, caller.isQuestion(next.value) ? stop : undefined)
    }
    return closed
  }

  /** The body is about to wait: returns the elements yielded so far, once in an advance, so that the consumer need not wait for them. */
  takeBeforeWait(): Array<unknown> | undefined {
    const { elements } = this
    if (elements.length === 0 || this.hasFlushed) return undefined
    this.dropLost()
    if (this.uncloneable !== undefined) return undefined
    this.hasFlushed = true
    return elements
  }

  /** The body has ended. */
  end(): void {
    this.input?.close()
  }

  /** The elements were sent. */
  onSent(): void {
    this.sent += this.elements.length
    this.elements = []
  }

  /** Finds the first element that would arrive empty, and drops it and those after it. */
  private dropLost(): void {
    const { elements } = this
    try {
      refuseLost(elements, "success", "elements")
    } catch {
      this.refuse((element, path) => {
        try {
          refuseLost(element, "success", path)
          return undefined
        } catch (error) {
          return error as NotCloneableError
        }
      })
    }
  }

  /** The elements could not be posted: drops the first that cannot cross, and those after it. */
  onRefused(error: unknown): void {
    this.refuse((element, path) => {
      const found = findUncloneable(element, path, threadContext.clone)
      return found && new NotCloneableError("success", found.path, found.detail)
    })
    if (this.uncloneable !== undefined) return
    // Each of them could be sent alone, but not all together.
    this.uncloneable = { side: "success", path: `elements[${this.sent}]`, detail: explain(error) }
    this.elements.length = 0
  }

  private refuse(whyNot: (element: unknown, path: string) => NotCloneableError | undefined): void {
    const { elements, sent } = this
    for (let i = 0; i < elements.length; i++) {
      const found = whyNot(elements[i], `elements[${sent + i}]`)
      if (found === undefined) continue
      this.uncloneable = { side: "success", path: found.path, detail: found.message }
      elements.length = i
      return
    }
  }
}

/** The answer to a call of a body that is being closed. */
const stop: protocol.AnswerMessage = [protocol.Answer, 0, protocol.Stopped, undefined]

/** The answer to a call that cannot be made. */
const refusal = (error: unknown): protocol.AnswerMessage => {
  if (!(error instanceof NotCloneableError)) throw error
  const { message: detail, path, side } = error
  return [protocol.Answer, 0, protocol.NotCloneable, { side, path, detail } satisfies protocol.NotCloneableValue]
}

/** The first elements of a chunk are measured; of the others, one in `measuredEvery`. Arbitrary: a measurement costs about as much as a step. */
const alwaysMeasured = 4
const measuredEvery = 16

/** How deep an element is measured, and how many items of an array. Arbitrary. */
const measuredDepth = 2
const measuredParts = 16

/** Estimates how many bytes a value takes in a message. */
const sizeOf = (value: unknown, depth: number): number => {
  if (typeof value === "string") return value.length
  if (typeof value !== "object" || value === null) return 8
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return value.byteLength
  if (depth === 0) return 8
  let bytes = 8
  try {
    if (Array.isArray(value)) {
      const { length } = value
      const measured = Math.min(length, measuredParts)
      for (let i = 0; i < measured; i++) bytes += sizeOf(value[i], depth - 1)
      return length > measured ? bytes * length / measured : bytes
    }
    for (const key in value) bytes += sizeOf((value as Record<string, unknown>)[key], depth - 1)
  } catch {
    // A getter that throws: the clone will report it.
  }
  return bytes
}
