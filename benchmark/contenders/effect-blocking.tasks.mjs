/** The module that pool threads of effect-blocking load. */
import { Callback, Task } from "effect-blocking"
import * as bodies from "./bodies.mjs"

export const add = Task.make(import.meta.url, "add", bodies.add)
export const echo = Task.make(import.meta.url, "echo", bodies.echo)
export const flip = Task.make(import.meta.url, "flip", (bytes) => Task.move(bodies.flip(bytes)))
export const burn = Task.make(import.meta.url, "burn", bodies.burn)
export const waves = Task.make(import.meta.url, "waves", bodies.waves)
export const shout = Task.make(import.meta.url, "shout", bodies.shout)
export const failing = Task.make(import.meta.url, "failing", bodies.failing)
export const nap = Task.make(import.meta.url, "nap", bodies.nap)
export const forever = Task.make(import.meta.url, "forever", bodies.forever)
export const tick = Task.make(import.meta.url, "tick", bodies.tick)
export const gate = Task.make(import.meta.url, "gate", bodies.gate)
export const rows = Task.stream(import.meta.url, "rows", bodies.rows)

export class Increment extends Callback.Service()("Increment", Callback.fn()) {}

/** Returns the milliseconds of each of `count` calls to the program, and the sum of the answers. */
export const calls = Task.make(import.meta.url, "calls", (count) => {
  const times = new Float64Array(count)
  let sum = 0
  for (let i = 0; i < count; i++) {
    const start = performance.now()
    sum += Increment.callOrThrow(i)
    times[i] = performance.now() - start
  }
  return { times, sum }
}, { callbacks: [Increment] })
