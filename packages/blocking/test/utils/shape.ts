import { descriptors } from "./descriptors.ts"

/** Everything observable about a value, with objects numbered in the order of visit. */
export const shape = (root: unknown): unknown => {
  const met = new Map<object, number>()
  const cell = (value: unknown): unknown => {
    if (typeof value !== "object" || value === null) return value
    if (!met.has(value)) met.set(value, met.size)
    return `#${met.get(value)}`
  }
  const rows: Array<unknown> = [cell(root)]
  for (const [object] of met) {
    rows.push([
      Object.getPrototypeOf(object).constructor.name,
      object instanceof Map ? Array.from(object, (entry) => entry.map(cell)) : undefined,
      object instanceof Set ? Array.from(object, cell) : undefined,
      object instanceof Date ? Number(object) : undefined,
      object instanceof ArrayBuffer ? Array.from(new Uint8Array(object)) : undefined,
      ArrayBuffer.isView(object)
        ? Array.from(new Uint8Array(object.buffer, object.byteOffset, object.byteLength))
        : descriptors(object).map((all) => all.map(cell))
    ])
  }
  return rows
}
