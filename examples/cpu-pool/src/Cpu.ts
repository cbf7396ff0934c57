/** A pool for long computations, and the picture that it renders. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { Effect } from "effect"
import { Blocking, Parallel } from "effect-blocking"
import { channels, height, width } from "./mandelbrot.ts"
import { renderRows } from "./tasks.ts"

/** A pool with its own threads and its own queue: its tasks delay no others. */
export class Cpu extends Blocking.Pool<Cpu>()("example/Cpu") {
  static readonly layer = (maxThreads: number) => NodeBlocking.layerPool(Cpu, { maxThreads, preload: [renderRows] })
}

/** Renders all rows, on all threads of the pool, into memory that they share. */
export const picture = Effect.gen(function*() {
  const pixels = new Uint8Array(new SharedArrayBuffer(width * height * channels))
  yield* Parallel.rangeWith(renderRows, { pool: Cpu }, height, pixels)
  return pixels
})
