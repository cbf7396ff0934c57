/** Restores thrown values and domain errors from a table of `errorTable.ts`. */
import { describe } from "./cloneable.ts"
import { builtInOf, type ErrorChain, type ErrorClass, nearest } from "./errorClasses.ts"
import * as table from "./errorTable.ts"

const V8Error = Error as ErrorConstructor & { stackTraceLimit: number }

/**
 * Restores an encoded value. An error gets the nearest of the named classes, or one of
 * the platform's; one that could be yielded gets the prototype `yieldable`. Never
 * fails: if a class does not allow it, the result is an error that says so.
 */
export const decode = (
  encoded: table.EncodedValue,
  classes: ReadonlyArray<ErrorClass>,
  yieldable: Error = Error.prototype
): unknown => {
  // Not a table: a primitive, or an error of this side.
  if (!Array.isArray(encoded)) return encoded
  const limit = V8Error.stackTraceLimit
  try {
    // The error gets the thread's stack, not this one.
    V8Error.stackTraceLimit = 0
    return restore(encoded as table.Table, classes, yieldable)
  } catch (error) {
    return new Error(`An error of a task could not be restored: ${describe(error)}`, { cause: error })
  } finally {
    V8Error.stackTraceLimit = limit
  }
}

const restore = (rows: table.Table, classes: ReadonlyArray<ErrorClass>, yieldable: Error): unknown => {
  // First all objects, then their contents: each can refer to any other.
  const objects = rows.map((row) => {
    switch (row[0]) {
      case table.Shell:
        return row[1]
      case table.SparseRow:
        return withLength(row[3])
      case table.MapRow:
        return new Map()
      case table.SetRow:
        return new Set()
      case table.ErrorRow:
        return emptyError(row, classes, yieldable)
    }
  })
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!
    const [kind, shell, patches = []] = row
    for (let j = 0; j < patches.length; j += 2) {
      table.setOwn(shell as object, patches[j]!, objects[patches[j + 1] as number])
    }
    switch (kind) {
      case table.SparseRow:
        for (const [key, value] of Object.entries(shell)) table.setOwn(objects[i] as object, key, value)
        break
      case table.MapRow:
        for (let j = 0; j < shell.length; j += 2) (objects[i] as Map<unknown, unknown>).set(shell[j], shell[j + 1])
        break
      case table.SetRow:
        for (const member of shell) (objects[i] as Set<unknown>).add(member)
        break
      case table.ErrorRow:
        defineOwn(objects[i] as Error, row as table.EncodedError)
    }
  }
  // Last, because the getters of a class can depend on everything else.
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!
    if (row[0] === table.ErrorRow) defineInherited(objects[i] as Error, row)
  }
  return objects[0]
}

const withLength = (length: number): Array<unknown> => {
  const array: Array<unknown> = []
  array.length = length
  return array
}

/** A real error, so that Node prints it as one, without own properties. */
const emptyError = (
  [, shell, , chain, isYieldable, keys]: table.EncodedError,
  classes: ReadonlyArray<ErrorClass>,
  yieldable: Error
): Error => {
  const error = make(chain, (key) => shell[keys.indexOf(key)])
  // If it was the first key, as usual, it keeps its place.
  for (const key of Object.getOwnPropertyNames(error)) if (keys[0] !== key) Reflect.deleteProperty(error, key)
  const builtIn = builtInOf(chain).prototype
  const prototype = nearest(chain, classes)?.prototype ??
    (isYieldable && builtIn === Error.prototype ? yieldable : builtIn)
  if (Object.getPrototypeOf(error) !== prototype) Object.setPrototypeOf(error, prototype)
  return error
}

interface DOMExceptionConstructor {
  new(message: string, name: string): Error
}

/** The name and the code of a DOMException are not properties: only its constructor can set them. */
const make = (chain: ErrorChain, valueOf: (key: string) => unknown): Error => {
  if (chain.builtIn !== "DOMException" || builtInOf(chain) === Error) return new Error()
  const DOMException = builtInOf(chain) as unknown as DOMExceptionConstructor
  return new DOMException(String(valueOf("message") ?? ""), String(valueOf("name") ?? "Error"))
}

const defineOwn = (error: Error, [, shell, , , , keys, flags]: table.EncodedError): void => {
  for (let i = 0; i < flags.length; i++) {
    Object.defineProperty(error, keys[i]!, {
      value: shell[i],
      enumerable: (flags[i]! & table.Enumerable) !== 0,
      writable: (flags[i]! & table.Writable) !== 0,
      configurable: (flags[i]! & table.Configurable) !== 0
    })
  }
}

/** Values that the restored class provides stay there; others become own properties of the error. */
const defineInherited = (error: Error, [, shell, , , , keys, flags]: table.EncodedError): void => {
  for (let i = flags.length; i < keys.length; i++) {
    const key = keys[i]!
    if (given(error, key) === shell[i]) continue
    Object.defineProperty(error, key, {
      value: shell[i],
      enumerable: key === "_tag",
      writable: true,
      configurable: true
    })
  }
}

const given = (error: Error, key: string): unknown => {
  try {
    return Reflect.get(error, key)
  } catch {
    // A getter of a private field, which a copy does not have.
    return undefined
  }
}
