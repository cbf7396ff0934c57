/**
 * Encodes thrown values and domain errors for the way out of a thread, as a table of
 * `errorTable.ts`, at any depth, without recursion. `restored.ts` restores them.
 *
 * Pool threads load this file: it imports no more of this folder than it needs.
 */
import { Budget } from "./budget.ts"
import { type Clone, compact, describe, explain, findUncloneable, stepOf, type Uncloneable } from "./cloneable.ts"
import { chainOf } from "./errorClasses.ts"
import * as table from "./errorTable.ts"
import { isError, isMap, isPlain, isSet, whyLost } from "./kinds.ts"

const EffectTypeId = "~effect/Effect"

declare const structuredClone: Clone

/**
 * How many objects of a panic are reported, and how many a domain error may have. Arbitrary:
 * getters and proxies can return new objects without end.
 */
const maxThrown = 100_000
const maxFailure = 2_000_000

/** Keys that errors may inherit from a class of the platform or of the program. */
const inheritable = ["name", "message", "stack", "cause", "errors", "code", "_tag"]

class Encoder {
  /** How much may be reported; `undefined`: everything. */
  private readonly budget: Budget | undefined
  private readonly clone: Clone
  private readonly max: number
  /** Returns the text that replaces a value that cannot cross. */
  private readonly onUncloneable: (found: Uncloneable) => string
  // For each row: its object, the path to it, and whether a clone of all its contents has succeeded.
  private readonly objects: Array<object> = []
  private readonly paths: Array<string> = []
  private readonly cleared: Array<boolean> = []
  private readonly indices = new Map<object, number>()
  /** Prototypes whose objects a clone treats as plain. */
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

  /** Adds a part to a shell; an object by its index. */
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
      // Beyond the budget: replaced by a text.
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
      // A proxy that is revoked, or throws.
      return [table.Shell, this.onUncloneable({ path, detail: `unreadable: ${explain(error)}` })]
    }
  }

  /** Visits only existing keys, whatever an array's length: holes stay holes. */
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
    // Not by methods of a subclass, which may do anything.
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

  /** An object of a class. If a clone treats it as plain, its contents are visited, because they may include errors. */
  private otherRow(value: object, path: string, cleared: boolean): table.Row {
    if (whyLost(value) !== undefined) return this.refused(value, path)
    const prototype = Object.getPrototypeOf(value)
    if (cleared && this.plainClasses.has(prototype)) return this.shellRow(value, path, true)
    const compacted = compact(value)
    // The extra copy shows what a clone makes of it.
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
    // The restored class of the platform provides its keys again, except for a DOMException.
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

/** Reads a property; user code may have made it unreadable (a getter or proxy that throws). */
const read = (value: object, name: string): unknown => {
  try {
    return Reflect.get(value, name)
  } catch (thrown) {
    return `[unreadable: ${describe(thrown)}]`
  }
}

/** The string keys: symbols do not cross, neither as keys nor as values. */
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

/** A getter arrives as its value, writable if there was a setter. */
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

/** The task's own frames: those below the call of its body mean nothing to its author. */
const ownFrames = (stack: unknown): unknown => {
  if (typeof stack !== "string") return undefined
  const end = stack.indexOf(`    at ${bodyCaller} (`)
  return end < 0 ? stack : stack.slice(0, stack.lastIndexOf("\n", end))
}

/** Encodes a thrown value. Never fails: a text replaces parts that cannot cross, cannot be read, or exceed the budget. */
export const encodeThrown = (thrown: unknown, clone: Clone = structuredClone): table.EncodedValue => {
  try {
    return new Encoder(clone, maxThrown, ({ detail }) => `[${detail}]`, new Budget()).encode(thrown, "")
  } catch (error) {
    return `[unreadable: ${describe(error)}]`
  }
}

/** Encodes a domain error, or returns the part that cannot cross. */
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
