/** The module that workerpool's threads load. */
import workerpool from "workerpool"
import * as bodies from "./bodies.mjs"

workerpool.worker({
  ...bodies,
  flip: (bytes) => new workerpool.Transfer(bodies.flip(bytes), [bytes.buffer])
})
