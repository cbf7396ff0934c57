/** A body that is a generator: run until it has a chunk of elements, left at its `yield`, and entered again. */
import { compact, explain, findUncloneable, NotCloneableError, refuseLost } from "../wire/cloneable.ts"
import * as protocol from "../wire/protocol.ts"
import type { Caller } from "./calls.ts"
import { threadContext } from "./context.ts"
import type { Input } from "./input.ts"

/** A chunk is sent when it has so many elements: more gain nothing. Measured. */
const maxElements = 1024

/** Of a long chunk the first half is sent while the second is made. */
const halfElements = maxElements / 2

/** The first element travels alone; each chunk that gets full lets the next be so many times as long. */
const growth = 16

/** … or when its elements took so long to make. Arbitrary: many times what a message costs. */
const maxMillis = 1

/** … or take about so many bytes. */
const maxBytes = 65_536

/** Chunks of one advance at most: then others have their turn, on both sides. Arbitrary: some milliseconds. */
const maxChunks = 8

/** How an advance of the body ended. */
export type Advanced =
  /** At a `yield`. */
  | { readonly _tag: "Yielded" }
  /** By its end; `value` is what it returned. */
  | { readonly _tag: "Returned"; readonly value: unknown }
  /** It was closed, because that was asked for. */
  | { readonly _tag: "Closed" }

const yielded: Advanced = { _tag: "Yielded" }
const closed: Advanced = { _tag: "Closed" }

/** Stacks are cut at its name, as in `definitions.ts`. */
const effectBlockingBody = (
  generator: Iterator<unknown, unknown>,
  answer: protocol.AnswerMessage | undefined
): IteratorResult<unknown, unknown> => generator.next(answer)

/** What a body is advanced with. */
export interface Advance {
  readonly now: () => number
  readonly isStopRequested: () => boolean
  /** Whether a chunk more is wanted before the body is left. */
  readonly mayGoOn: () => boolean
  readonly caller: Caller
}

export class Coroutine {
  /** The number by which it is resumed, 0 before it was left for the first time. */
  id = 0
  /** What it has yielded since it was entered. */
  elements: Array<unknown> = []
  /** Why its next element cannot be sent: it is to be closed. */
  uncloneable: protocol.NotCloneableValue | undefined
  /** What it has marked by `Task.move`, in this advance or one before. */
  moved: WeakSet<object> | undefined
  /** How long the next chunk may be, and how many elements were sent before it. */
  private limit = 1
  private sent = 0
  /** Notifications of it that are not known to be handled. */
  unhandled = 0
  /** Whether elements of this advance are on their way already. */
  private hasFlushed = false
  /** The call for whose answer it was left, 0 for none, and the answer when it is there. */
  asked = 0
  private answer: protocol.AnswerMessage | undefined
  private readonly generator: Iterator<unknown, unknown>
  private readonly input: Input | undefined

  constructor(generator: Iterator<unknown, unknown>, input: Input | undefined) {
    this.generator = generator
    this.input = input
  }

  /** Runs the body until it has a chunk, calls the program, or ends. Throws what it throws; `elements` is what came before. */
  advance({ caller, isStopRequested, mayGoOn, now }: Advance): Advanced {
    const { generator } = this
    let { answer, limit } = this
    let chunks = 1
    let count = 0
    this.elements = []
    // What it is resumed for by an answer is still what it was pulled for.
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
        this.look()
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
      // Sent before the body waits, they are others now.
      this.elements.push(value)
      count++
      if (typeof value === "object" && value !== null) {
        // Elements are much alike: not each is measured.
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
    this.look()
    return yielded
  }

  /** Sends what there is from within the body. `false`: it has to be left, because some of that cannot cross. */
  private sendElements(caller: Caller): boolean {
    this.look()
    if (this.uncloneable !== undefined || !caller.sendElements(this.elements)) return false
    this.onSent()
    return true
  }

  /** Ends the body where it was left: its `finally` blocks run. What they yield is ignored, what they ask is answered by a stop. */
  close(caller: Caller): Advanced {
    const { generator } = this
    caller.forget(this.asked)
    let next = generator.return?.()
    while (next !== undefined && next.done !== true) {
      next = effectBlockingBody(generator, caller.isQuestion(next.value) ? stop : undefined)
    }
    return closed
  }

  /** The body is about to wait: gives what it has yielded before, once in an advance, so that nobody waits for that as well. */
  takeBeforeWait(): Array<unknown> | undefined {
    const { elements } = this
    if (elements.length === 0 || this.hasFlushed) return undefined
    this.look()
    if (this.uncloneable !== undefined) return undefined
    this.hasFlushed = true
    return elements
  }

  /** The body has ended. */
  end(): void {
    this.input?.close()
  }

  /** The elements are on their way. */
  onSent(): void {
    this.sent += this.elements.length
    this.elements = []
  }

  /** Looks for what would arrive empty, and leaves it and what follows out. */
  private look(): void {
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

  /** The elements could not be posted: leaves out the first that is to blame, and what follows. */
  onRefused(error: unknown): void {
    this.refuse((element, path) => {
      const found = findUncloneable(element, path, threadContext.clone)
      return found && new NotCloneableError("success", found.path, found.detail)
    })
    if (this.uncloneable !== undefined) return
    // Each of them could be sent, and not all together.
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

/** What a body is told that calls the program while it is closed. */
const stop: protocol.AnswerMessage = [protocol.Answer, 0, protocol.Stopped, undefined]

/** What a body is told whose call cannot be made. */
const refusal = (error: unknown): protocol.AnswerMessage => {
  if (!(error instanceof NotCloneableError)) throw error
  const { message: detail, path, side } = error
  return [protocol.Answer, 0, protocol.NotCloneable, { side, path, detail } satisfies protocol.NotCloneableValue]
}

/** Elements of a chunk that are measured in any case; of the others every so many. Arbitrary: a measurement costs about as much as a step. */
const alwaysMeasured = 4
const measuredEvery = 16

/** How far into an element is looked, and at how many parts of an array. Arbitrary. */
const measuredDepth = 2
const measuredParts = 16

/** About how many bytes a value takes in a message. */
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
    // A getter that throws: whoever clones the value says so.
  }
  return bytes
}
