/**
 * A rendezvous between a test and a body: the body reports its arrival, and waits
 * until the test lets it go on. No clock is involved on either side.
 */
import { Effect } from "effect"

const Arrived = 0
const Open = 1

export type Gate = Int32Array

export const make = (): Gate => new Int32Array(new SharedArrayBuffer(8))

/** In a body: reports its arrival, and waits for `open`. */
export const pass = (gate: Gate): void => {
  arrive(gate)
  Atomics.wait(gate, Open, 0)
}

/** In a body: reports its arrival. */
export const arrive = (gate: Gate): void => {
  Atomics.add(gate, Arrived, 1)
  Atomics.notify(gate, Arrived)
}

/** In a test: waits until `count` bodies have arrived. */
export const arrived = (gate: Gate, count = 1): Effect.Effect<void> =>
  Effect.suspend(() => {
    const seen = Atomics.load(gate, Arrived)
    if (seen >= count) return Effect.void
    const wait = Atomics.waitAsync(gate, Arrived, seen)
    return Effect.flatMap(Effect.promise(async () => wait.value), () => arrived(gate, count))
  })

/** How many bodies have arrived. */
export const arrivals = (gate: Gate): number => Atomics.load(gate, Arrived)

/** In a test: lets every body go on, future ones included. */
export const open = (gate: Gate): void => {
  Atomics.store(gate, Open, 1)
  Atomics.notify(gate, Open)
}
