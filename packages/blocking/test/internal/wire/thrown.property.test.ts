import { assert, describe, it } from "@effect/vitest"
import { deserialize, serialize } from "node:v8"
import { decode } from "../../../src/internal/wire/restored.ts"
import { encodeThrown } from "../../../src/internal/wire/thrown.ts"
import { random } from "../../utils/random.ts"
import { shape } from "../../utils/shape.ts"

describe("any value", () => {
  const atoms = [0, -0, NaN, "", "text", true, null, undefined, 10n, Infinity]
  const keys = ["a", "b", "__proto__", "constructor", "7", "odd key", "length2", "_tag", "name", "then"]
  const classes = [Error, TypeError, RangeError, class Own extends Error {}, class Sub extends SyntaxError {}]

  const generate = (seed: number): unknown => {
    const next = random(seed)
    const made: Array<object> = []
    const value = (depth: number): unknown => {
      const kind = next(depth > 5 ? 2 : 9)
      if (kind === 0) return atoms[next(atoms.length)]
      if (kind === 1) return made.length === 0 ? 1 : made[next(made.length)]
      const add = <A extends object>(object: A): A => {
        made.push(object)
        return object
      }
      const entries = (object: object) => {
        for (let i = next(4); i > 0; i--) {
          Object.defineProperty(object, keys[next(keys.length)]!, {
            value: value(depth + 1),
            configurable: true,
            enumerable: true,
            writable: true
          })
        }
      }
      switch (kind) {
        case 2: {
          const list: Array<unknown> = add([])
          for (let i = next(5); i > 0; i--) list[next(8)] = value(depth + 1)
          if (next(3) === 0) entries(list)
          return list
        }
        case 3: {
          const map = add(new Map())
          for (let i = next(4); i > 0; i--) map.set(value(depth + 1), value(depth + 1))
          return map
        }
        case 4: {
          const set = add(new Set())
          for (let i = next(4); i > 0; i--) set.add(value(depth + 1))
          return set
        }
        case 5:
          return add([new Date(next(1000)), /x/g, Uint8Array.of(1, 2), new ArrayBuffer(3)][next(4)]!)
        case 6: {
          const plain = add({})
          entries(plain)
          return plain
        }
        default: {
          const error = add(new classes[next(classes.length)]!("m"))
          // Formatted at the first read, by its name at that time, which may be the error itself.
          void error.stack
          for (let i = next(5); i > 0; i--) {
            const flags = next(8)
            const key = ["cause", "errors", "message", ...keys][next(13)]!
            if (Object.getOwnPropertyDescriptor(error, key)?.configurable === false) continue
            Object.defineProperty(error, key, {
              value: value(depth + 1),
              enumerable: (flags & 1) > 0,
              writable: (flags & 2) > 0,
              configurable: (flags & 4) > 0
            })
          }
          return error
        }
      }
    }
    return value(0)
  }

  it("E1: a round trip keeps shape, identity and flags", () => {
    let errors = 0
    for (let seed = 0; seed < 2000; seed++) {
      const value = generate(seed)
      const expected = shape(value)
      if (value instanceof Error) errors++
      for (const clone of [structuredClone, (encoded: unknown) => deserialize(serialize(encoded))]) {
        const arrived = decode(clone(encodeThrown(value)), classes)
        assert.deepStrictEqual(shape(arrived), expected, `seed ${seed}`)
      }
    }
    assert.isAbove(errors, 100)
  })
})
