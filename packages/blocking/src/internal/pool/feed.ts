/** What a body iterates: the chunks of a stream, one pulled ahead of what it has asked for (G8). */
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import type { Call } from "../scheduler/calls.ts"
import type { Run } from "../scheduler/run.ts"
import { findUncloneable, NotCloneableError, refuseLost } from "../wire/cloneable.ts"
import * as protocol from "../wire/protocol.ts"

/** Elements that are sent at once: a chunk of the program can have any number. As those of the other direction. */
const maxElements = 1024

export class Feed {
  /** Whose input it is; `undefined` before that is submitted. */
  run: Run | undefined
  /** The body waits. */
  private call: Call | undefined
  private onAsked: (() => void) | undefined
  private hasEnded = false
  /** All there is, if the body gets it whole, and how much of it that has. */
  private readonly whole: ReadonlyArray<unknown> | undefined
  private given = 0
  /** How many elements were sent before. */
  private sent = 0

  constructor(whole: ReadonlyArray<unknown> | undefined) {
    this.whole = whole
  }

  /** The body wants more. */
  ask(call: Call): void {
    if (this.hasEnded) return call.answer(protocol.Succeeded, undefined)
    this.call = call
    if (this.whole === undefined) return this.onAsked?.()
    const elements = this.whole.slice(this.given, this.given += maxElements)
    this.hasEnded = elements.length === 0
    this.answer(this.hasEnded ? undefined : elements)
  }

  /** The body wants something. */
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

  /** Gives the body what is pulled. */
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

/** What keeps the first of the elements that cannot cross. */
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

/** All that is pulled. */
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
