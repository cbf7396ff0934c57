/**
 * How thrown values and domain errors leave a thread: taken apart into a table of
 * `errorTable.ts`, at any depth, without recursion. `restored.ts` puts them together.
 *
 * Pool threads load this file: it imports no more than it needs of this room.
 */
import { Budget } from "./budget.ts"
import { type Clone, compact, describe, explain, findUncloneable, stepOf, type Uncloneable } from "./cloneable.ts"
import { chainOf } from "./errorClasses.ts"
import * as table from "./errorTable.ts"
import { isError, isMap, isPlain, isSet, whyLost } from "./kinds.ts"

const EffectTypeId = "~effect/Effect"

declare const structuredClone: Clone

/**
 * How many objects of a panic are told, and how many a domain error may have. Arbitrary:
 * getters and proxies can answer with something new for ever.
 */
const maxThrown = 100_000
const maxFailure = 2_000_000

/** What the platform's errors have from their class, and what a class of the program may define. */
const inheritable = ["name", "message", "stack", "cause", "errors", "code", "_tag"]

class Encoder {
  /** How much may be told; `undefined`: all of it. */
  private readonly budget: Budget | undefined
  private readonly clone: Clone
  private readonly max: number
  /** Its answer takes the place of what cannot cross. */
  private readonly onUncloneable: (found: Uncloneable) => string
  // For each row its object, where that was found, and whether a clone of all that is in it has succeeded.
  private readonly objects: Array<object> = []
  private readonly paths: Array<string> = []
  private readonly cleared: Array<boolean> = []
  private readonly indices = new Map<object, number>()
  /** Prototypes whose objects a clone takes for plain ones. */
  private readonly plainClasses = new Set<object>()

  constructor(clone: Clone, max: number, onUncloneable: (found: Uncloneable) => string, budget?: Budget) {
    this.budget = budget
    this.clone = clone
    this.max = max
    this.onUncloneable = onUncloneable
  }

  encode(value: unknown, path: string): table.EncodedValue {
    const root: Array<unknown> = []
    const patches: table.Patches = []
    this.put(root, 0, value, path, patches, false)
    if (patches.length === 0) return root[0]
    const rows: Array<table.Row> = []
    for (let i = 0; i < this.objects.length; i++) rows.push(this.row(i))
    return rows
  }

  /** Puts a part into a shell; an object by its index. */
  private put(
    shell: object,
    key: string | number,
    value: unknown,
    path: string,
    patches: table.Patches,
    cleared: boolean
  ): void {
    let held = this.budget === undefined ? value : this.budget.spend(value)
    if (held !== value) {
      // It is too much, and told in words.
    } else if (typeof value === "object" && value !== null) {
      let index = this.indices.get(value)
      if (index === undefined && this.objects.length < this.max) {
        index = this.objects.length
        this.indices.set(value, index)
        this.objects.push(value)
        this.paths.push(path)
        this.cleared.push(cleared)
      }
      if (index === undefined) {
        held = this.onUncloneable({ path, detail: `it has more than ${this.max} objects` })
      } else {
        patches.push(key, index)
        held = undefined
      }
    } else if (typeof value === "function" || typeof value === "symbol") {
      held = this.onUncloneable(findUncloneable(value, path)!)
    }
    table.setOwn(shell, key, held)
  }

  private row(index: number): table.Row {
    const value = this.objects[index]!
    const path = this.paths[index]!
    try {
      if (isError(value)) return this.errorRow(value, path)
      if (Array.isArray(value) || isPlain(value)) return this.shellRow(value, path, this.cleared[index]!)
      if (isMap(value) || isSet(value)) return this.collectionRow(value, path, this.cleared[index]!)
      return this.otherRow(value, path, this.cleared[index]!)
    } catch (error) {
      // A proxy that is revoked or throws.
      return [table.Shell, this.onUncloneable({ path, detail: `unreadable: ${explain(error)}` })]
    }
  }

  /** Only the keys that there are, whatever an array's length: holes stay holes. */
  private shellRow(value: object, path: string, cleared: boolean): table.Row {
    const keys = Object.keys(value)
    const length = Array.isArray(value) ? value.length : 0
    const isSparse = keys.length < length
    const shell: object = Array.isArray(value) && !isSparse ? [] : {}
    const patches: table.Patches = []
    for (const key of keys) {
      if (this.budget?.isSpent) break
      this.put(shell, key, read(value, key), path + stepOf(value, key), patches, cleared)
    }
    if (Array.isArray(shell)) shell.length = length
    return isSparse ? [table.SparseRow, shell, patches, length] : [table.Shell, shell, patches]
  }

  private collectionRow(
    value: Map<unknown, unknown> | Set<unknown>,
    path: string,
    cleared: boolean
  ): table.Row {
    const shell: Array<unknown> = []
    const patches: table.Patches = []
    // Not the methods of a subclass, which may be anything.
    if (isMap(value)) {
      Map.prototype.forEach.call(value, (part, key) => {
        if (this.budget?.isSpent) return
        const place = shell.length / 2
        this.put(shell, shell.length, key, `${path}.keys()[${place}]`, patches, cleared)
        this.put(shell, shell.length, part, `${path}.get(${describe(key)})`, patches, cleared)
      })
      return [table.MapRow, shell, patches]
    }
    Set.prototype.forEach.call(value, (part) => {
      if (this.budget?.isSpent) return
      this.put(shell, shell.length, part, `${path}.values()[${shell.length}]`, patches, cleared)
    })
    return [table.SetRow, shell, patches]
  }

  /** An object of a class: what a clone takes for a plain one is looked into, for there may be errors in it. */
  private otherRow(value: object, path: string, cleared: boolean): table.Row {
    if (whyLost(value) !== undefined) return this.refused(value, path)
    const prototype = Object.getPrototypeOf(value)
    if (cleared && this.plainClasses.has(prototype)) return this.shellRow(value, path, true)
    const compacted = compact(value)
    // Copied once more than necessary, or not at all; a copy tells what a clone makes of it.
    if (!cleared && findUncloneable(compacted, path, this.clone) !== undefined) return this.refused(compacted, path)
    if (ArrayBuffer.isView(compacted) || !isPlain(structuredClone(value) as object)) return [table.Shell, compacted]
    this.plainClasses.add(prototype)
    return this.shellRow(value, path, true)
  }

  private refused(value: unknown, path: string): table.Row {
    return [table.Shell, this.onUncloneable(findUncloneable(value, path, this.clone)!)]
  }

  private errorRow(error: Error, path: string): table.Row {
    const shell: Array<unknown> = []
    const patches: table.Patches = []
    const keys: Array<string> = []
    const flags: Array<number> = []
    const add = (key: string, value: unknown): void => {
      this.put(shell, keys.length, value, path + stepOf(error, key), patches, false)
      keys.push(key)
    }
    for (const key of ownKeys(error)) {
      flags.push(flagsOf(error, key))
      add(key, key === "stack" ? ownFrames(read(error, key)) : read(error, key))
    }
    const chain = chainOf(prototypeOf(error))
    // What the platform's own classes give is there again with the class, but for those of a DOMException.
    if (chain.names.length > 0 || chain.builtIn === "DOMException" || keys.length === 0) {
      for (const key of inheritable) {
        if (keys.includes(key)) continue
        const value = read(error, key)
        if (value !== undefined) add(key, key === "stack" ? ownFrames(value) : value)
      }
    }
    const yieldable = chain.names.length > 0 && read(error, EffectTypeId) !== undefined
    return [table.ErrorRow, shell, patches, chain, yieldable, keys, flags]
  }
}

/** Reads what user code may have made unreadable (a getter or proxy that throws). */
const read = (value: object, name: string): unknown => {
  try {
    return Reflect.get(value, name)
  } catch (thrown) {
    return `[unreadable: ${describe(thrown)}]`
  }
}

/** Symbols do not cross, as keys no more than as values. */
const ownKeys = (value: object): ReadonlyArray<string> => {
  try {
    return Object.getOwnPropertyNames(value)
  } catch {
    return []
  }
}

const prototypeOf = (value: object): object | null => {
  try {
    return Object.getPrototypeOf(value)
  } catch {
    return null
  }
}

/** A getter arrives as its value, which can be assigned if there was a setter. */
const flagsOf = (value: object, key: string): number => {
  try {
    const found = Object.getOwnPropertyDescriptor(value, key)!
    return (found.enumerable ? table.Enumerable : 0) +
      (found.writable || found.set !== undefined ? table.Writable : 0) +
      (found.configurable ? table.Configurable : 0)
  } catch {
    return table.Enumerable + table.Writable + table.Configurable
  }
}

/** The function that calls a body, in `thread/definitions.ts`: with source maps its file has another name, or none. */
const bodyCaller = "effectBlockingBody"

/** The frames of the task: those from the call of its body on say nothing to its author. */
const ownFrames = (stack: unknown): unknown => {
  if (typeof stack !== "string") return undefined
  const end = stack.indexOf(`    at ${bodyCaller} (`)
  return end < 0 ? stack : stack.slice(0, stack.lastIndexOf("\n", end))
}

/** Encodes what a body threw. Never fails: what cannot cross, be read, or is too much, is named in its place. */
export const encodeThrown = (thrown: unknown, clone: Clone = structuredClone): table.EncodedValue => {
  try {
    return new Encoder(clone, maxThrown, ({ detail }) => `[${detail}]`, new Budget()).encode(thrown, "")
  } catch (error) {
    return `[unreadable: ${describe(error)}]`
  }
}

/** Encodes a domain error, or answers what in it cannot cross. */
export const encodeFailure = (
  failure: unknown,
  clone: Clone = structuredClone
): { readonly value: table.EncodedValue } | Uncloneable => {
  let found: Uncloneable | undefined
  try {
    const value = new Encoder(clone, maxFailure, (uncloneable) => {
      found ??= uncloneable
      return ""
    }).encode(failure, "error")
    return found ?? { value }
  } catch (error) {
    return { path: "error", detail: explain(error) }
  }
}
