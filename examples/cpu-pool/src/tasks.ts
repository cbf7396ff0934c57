/** The long work, as tasks. Pool threads load this module. */
import { Task } from "effect-blocking"
import { encode } from "fast-png"
import { channels, height, renderRow, width } from "./mandelbrot.ts"

/** Renders a band of the picture; its pixels are moved to the program's thread, not copied. */
export const renderBand = Task.make(import.meta.url, "renderBand", (top: number, rows: number) => {
  const pixels = new Uint8Array(rows * width * channels)
  for (let row = 0; row < rows; row++) {
    Task.checkpoint() // Ctrl-C ends the band here.
    pixels.set(renderRow(top + row), row * width * channels)
  }
  return Task.move(pixels)
})

/** Makes a PNG of the pixels. */
export const encodePng = Task.make(
  import.meta.url,
  "encodePng",
  (pixels: Uint8Array) => Task.move(encode({ width, height, channels, data: pixels }, { zlib: { level: 9 } }))
)
