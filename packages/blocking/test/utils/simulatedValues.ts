/** Arguments and results for the tasks of a simulation: values of all the kinds that travel in different ways. */
import { isDeepStrictEqual } from "node:util"
import { plainValue } from "./plainValue.ts"
import { random } from "./random.ts"

/** The size of the values: numbers and small objects; buffers that fill a ring after a few tasks; any. */
export type Scale = "tiny" | "long" | "any"

export class SimulatedValues {
  private readonly seed: number
  private readonly scale: Scale

  constructor(seed: number, scale: Scale) {
    this.seed = seed
    this.scale = scale
  }

  /** A new, equal value for each call with the same number. */
  argument(n: number): unknown {
    return this.make(n, 0)
  }

  result(n: number): unknown {
    return this.make(n, 1)
  }

  isArgument(n: number, arrived: unknown): boolean {
    return isSame(arrived, this.argument(n))
  }

  isResult(n: number, arrived: unknown): boolean {
    return isSame(arrived, this.result(n))
  }

  private make(n: number, salt: number): unknown {
    const bytes = (length: number): Uint8Array => new Uint8Array(length).fill(n + salt)
    const next = random((this.seed * 1000 + n) * 2 + salt)
    if (this.scale === "long") return { n, bytes: bytes(4000 + next(4000)) }
    switch (next(this.scale === "tiny" ? 8 : 16)) {
      case 0:
      case 1:
      case 2:
        return n
      case 3:
        return [n, -0, undefined]
      case 4:
        return `text ${n}`
      case 5:
        return next(4) > 0 ? { n, not: null } : { n, plain: structuredClone(plainValue(n)) }
      case 6:
        // Not a payload.
        return { n, pattern: /posted/ }
      case 7:
        return { n, text: "größer", list: [n, { salt }], bytes: bytes(3) }
      case 13:
        // Buffers that go beside the ring.
        return { n, few: bytes(10), many: bytes(2 ** 13 + next(2 ** 12)), more: bytes(2 ** 13) }
      case 14:
        // Too long for the ring.
        return { n, all: Array.from({ length: 5 }, () => bytes(8000)) }
      case 15:
        // Sometimes longer than a chunk.
        return { n, bytes: bytes(next(8) === 0 ? 300_000 : 60_000) }
      default:
        return { n, bytes: bytes(next(2 ** 13)) }
    }
  }
}

const isSame = (arrived: unknown, made: unknown): boolean =>
  typeof made === "object" ? isDeepStrictEqual(arrived, made) : Object.is(arrived, made)

/** Changes a value; only its owner should see that. */
export const spoil = (value: unknown): void => {
  if (typeof value !== "object" || value === null) return
  for (const part of Object.values(value)) if (part instanceof Uint8Array) part.fill(255)
  Object.assign(value, { spoiled: true })
}
