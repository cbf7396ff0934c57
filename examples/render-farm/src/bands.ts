/** The long work, as a task whose values can be stored. The runners' pool threads load this module. */
import { Task } from "effect-blocking"
import * as Schema from "effect/Schema"
import { channels, renderRow, width } from "../../cpu-pool/src/mandelbrot.ts"

const Rows = Schema.Struct({ top: Schema.Int, rows: Schema.Int })

/** Renders a band of the picture. It has no side effects, so it may run again after its runner has died. */
export const renderBand = Task.schema(
  import.meta.url,
  "renderBand",
  { payload: Rows, success: Schema.Uint8Array },
  ({ rows, top }) => {
    const pixels = new Uint8Array(rows * width * channels)
    for (let row = 0; row < rows; row++) {
      Task.checkpoint() // A shutdown that does not wait for the band stops it here.
      pixels.set(renderRow(top + row), row * width * channels)
    }
    return pixels
  }
)
