/** The long tasks. Pool threads load this module. */
import { Task } from "effect-blocking"
import { encode } from "fast-png"
import { channels, height, renderRow, width } from "./mandelbrot.ts"

/** Renders a range of rows into the picture. */
export const renderRows = Task.make(import.meta.url, "renderRows", (start: number, end: number, pixels: Uint8Array) => {
  for (let row = start; row < end; row++) {
    Task.checkpoint() // Ctrl-C ends it here.
    pixels.set(renderRow(row), row * width * channels)
  }
})

/** Encodes the pixels as a PNG. */
export const encodePng = Task.make(
  import.meta.url,
  "encodePng",
  (pixels: Uint8Array) => Task.move(encode({ width, height, channels, data: pixels }, { zlib: { level: 9 } }))
)
