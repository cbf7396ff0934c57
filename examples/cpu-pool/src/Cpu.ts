/** A pool for long computations, and the picture that it renders. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { Array, Effect } from "effect"
import { Blocking } from "effect-blocking"
import { channels, height, width } from "./mandelbrot.ts"
import { renderBand } from "./tasks.ts"

/** Threads and a queue of its own: what waits here is in nobody's way. */
export class Cpu extends Blocking.Pool<Cpu>()("example/Cpu") {
  static readonly layer = (maxThreads: number) => NodeBlocking.layerPool(Cpu, { maxThreads, preload: [renderBand] })
}

/** The rows of a band, which is a task: here 50 of some 20 ms each. */
const bandRows = 8

/** Renders all bands, as many at a time as the pool has threads, and puts them together. */
export const picture = Effect.gen(function*() {
  const pixels = new Uint8Array(width * height * channels)
  yield* Effect.forEach(
    Array.range(0, Math.ceil(height / bandRows) - 1),
    (band) => {
      const top = band * bandRows
      return Effect.map(
        Cpu.run(renderBand, top, Math.min(bandRows, height - top)),
        (rows) => pixels.set(rows, top * width * channels)
      )
    },
    { concurrency: "unbounded", discard: true }
  )
  return pixels
})
