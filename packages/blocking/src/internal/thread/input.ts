/** The input of a body: an iterator over the elements of a stream of the program, fetched chunk by chunk. */
import { NotCloneableError } from "../wire/cloneable.ts"
import * as protocol from "../wire/protocol.ts"
import { threadContext } from "./context.ts"
import { checkpoint, StopRequested } from "./stops.ts"

/**
 * Requests a chunk when it has none left, and blocks the thread until the chunk arrives. It is one
 * iterator, however often `Symbol.iterator` is called: a body can leave a loop over it, and continue in another.
 */
export class Input implements IterableIterator<unknown> {
  private elements: ReadonlyArray<unknown> = []
  private index = 0
  private state: "open" | "ended" | "closed" = "open"

  next(): IteratorResult<unknown, undefined> {
    if (this.state === "closed") throw new Error(usedAfter)
    checkpoint()
    while (this.index === this.elements.length) {
      if (this.state === "ended") return { done: true, value: undefined }
      const elements = ask()
      this.elements = elements ?? []
      this.index = 0
      if (elements === undefined) this.state = "ended"
    }
    return { done: false, value: this.elements[this.index++] }
  }

  [Symbol.iterator](): this {
    return this
  }

  /** Its body has ended: the iterator gives nothing more. */
  close(): void {
    this.state = "closed"
    this.elements = []
    this.index = 0
  }
}

/** The next chunk; `undefined` at the end. */
const ask = (): ReadonlyArray<unknown> | undefined => {
  const { caller, current } = threadContext
  // A timer that a body has left behind belongs to no run, and cannot wait.
  if (caller === undefined || current === 0) throw new Error(usedAfter)
  const [, , status, value] = caller.call(protocol.inputKey, [])
  switch (status) {
    case protocol.Succeeded:
      return value as ReadonlyArray<unknown> | undefined
    case protocol.Stopped:
      throw new StopRequested()
    case protocol.NotCloneable: {
      const { detail, path, side } = value as protocol.NotCloneableValue
      throw new NotCloneableError(side, path, detail)
    }
    default:
      throw new Error(`The input cannot be had: ${String(value)}`)
  }
}

const usedAfter = "The input of a body was used outside of it, or after its end"
