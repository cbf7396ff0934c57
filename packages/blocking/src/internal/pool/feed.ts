/** The input of a body: the chunks of a stream, pulled one ahead of the body's requests (G8). */
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import type { Call } from "../scheduler/calls.ts"
import type { Run } from "../scheduler/run.ts"
import { findUncloneable, NotCloneableError, refuseLost } from "../wire/cloneable.ts"
import * as protocol from "../wire/protocol.ts"

/**
 * The maximum number of elements sent at once, as in the other direction. A chunk of the program can have any
 * number.
 */
const maxElements = 1024

export class Feed {
  /** The run that consumes the input; `undefined` before it is submitted. */
  run: Run | undefined
  /** The request of a waiting body. */
  private call: Call | undefined
  private onAsked: (() => void) | undefined
  private hasEnded = false
  /** The whole input, if it was collected before the body started, and the number of elements already sent. */
  private readonly whole: ReadonlyArray<unknown> | undefined
  private given = 0
  /** The number of elements sent, for paths in errors. */
  private sent = 0

  constructor(whole: ReadonlyArray<unknown> | undefined) {
    this.whole = whole
  }

  /** Called when the body asks for more elements. */
  ask(call: Call): void {
    if (this.hasEnded) return call.answer(protocol.Succeeded, undefined)
    this.call = call
    if (this.whole === undefined) return this.onAsked?.()
    const elements = this.whole.slice(this.given, this.given += maxElements)
    this.hasEnded = elements.length === 0
    this.answer(this.hasEnded ? undefined : elements)
  }

  /** Waits until the body asks for elements. */
  readonly asked: Effect.Effect<void> = Effect.callback((resume) => {
    if (this.call !== undefined) return resume(Effect.void)
    this.onAsked = () => {
      this.onAsked = undefined
      resume(Effect.void)
    }
    return Effect.sync(() => {
      this.onAsked = undefined
    })
  })

  /** Sends the pulled elements to the body. */
  from<In, E, R>(pull: Pull.Pull<ReadonlyArray<In>, E, void, R>): Effect.Effect<void, E, R> {
    const chunks = Effect.forever(Effect.flatMap(pull, (elements) => this.give(elements)), { disableYield: true })
    return Pull.catchDone(chunks as Pull.Pull<never, E, void, R>, () =>
      Effect.sync(() => {
        this.hasEnded = true
        this.answer(undefined)
      })) as Effect.Effect<void, E, R>
  }

  private give(elements: ReadonlyArray<unknown>, from = 0): Effect.Effect<void> {
    return Effect.flatMap(this.asked, () => {
      this.answer(from === 0 && elements.length <= maxElements ? elements : elements.slice(from, from + maxElements))
      return from + maxElements < elements.length ? this.give(elements, from + maxElements) : Effect.void
    })
  }

  private answer(elements: ReadonlyArray<unknown> | undefined): void {
    const { call, sent } = this
    this.call = undefined
    if (call === undefined) return
    const lost = elements && whyNot(elements, sent, (element, path) => {
      refuseLost(element, "argument", path)
      return undefined
    })
    if (lost !== undefined) return call.answer(protocol.NotCloneable, lost)
    if (elements !== undefined) this.sent += elements.length
    call.answer(
      protocol.Succeeded,
      elements,
      elements && (() => whyNot(elements, sent, (element, path) => findUncloneable(element, path)))
    )
  }
}

/** The path and problem of the first element that cannot cross. */
const whyNot = (
  elements: ReadonlyArray<unknown>,
  sent: number,
  look: (element: unknown, path: string) => { readonly path: string; readonly detail: string } | undefined
): protocol.NotCloneableValue | undefined => {
  for (let i = 0; i < elements.length; i++) {
    const element = elements[i]
    if (typeof element !== "object" && typeof element !== "function" && typeof element !== "symbol") continue
    const path = `input[${sent + i}]`
    try {
      const found = look(element, path)
      if (found !== undefined) return { side: "argument", ...found }
    } catch (error) {
      if (!(error instanceof NotCloneableError)) throw error
      return { side: "argument", path: error.path, detail: error.message }
    }
  }
  return undefined
}

/** Collects all elements of a pull. */
export const collect = <In, E, R>(pull: Pull.Pull<ReadonlyArray<In>, E, void, R>): Effect.Effect<Array<In>, E, R> =>
  Effect.suspend(() => {
    const all: Array<In> = []
    const collected = Effect.forever(Effect.map(pull, (elements) => {
      for (const element of elements) all.push(element)
    }))
    return Pull.catchDone(collected as Pull.Pull<never, E, void, R>, () => Effect.succeed(all)) as Effect.Effect<
      Array<In>,
      E,
      R
    >
  })
