/** Turns rows from a message into the rows of `effect/sql`. Objects are built on this side. */
import { Arrays, type Changes, type Flags, type Rows, type Value, wantMask } from "../thread/reply.ts"
import type { First } from "../thread/statements.ts"

export type Row = Record<string, Value>

export const isRows = (answer: Rows | Changes): answer is Rows => "rest" in answer

/** A column can have any name, and assigning to `__proto__` would set the prototype. */
const put = (row: Row, key: string, value: Value): void => {
  if (key === "__proto__") {
    Object.defineProperty(row, key, { value, enumerable: true, configurable: true, writable: true })
  } else row[key] = value
}

export const objectOf = (keys: ReadonlyArray<string>, values: ReadonlyArray<Value>, from = 0): Row => {
  const row: Row = {}
  for (let k = 0; k < keys.length; k++) put(row, keys[k]!, values[from + k]!)
  return row
}

export const objectsOf = ({ count, keys, values }: Rows): Array<Row> => {
  const rows: Array<Row> = []
  for (let i = 0; i < count; i++) rows.push(objectOf(keys, values, i * keys.length))
  return rows
}

export const arraysOf = ({ count, values }: Rows): Array<ReadonlyArray<Value>> => {
  const width = count === 0 ? 0 : values.length / count
  return Array.from({ length: count }, (_, i) => values.slice(i * width, (i + 1) * width))
}

/** Builds the rows of a stream. For objects, the first element brings the keys. */
export const rowsFrom = (flags: Flags): (element: First | ReadonlyArray<Value>) => unknown => {
  if ((flags & wantMask) === Arrays) return (values) => values
  let keys: ReadonlyArray<string> | undefined
  return (element) => {
    if (keys !== undefined) return objectOf(keys, element as ReadonlyArray<Value>)
    const [names, values] = element as First
    keys = names
    return objectOf(names, values)
  }
}
