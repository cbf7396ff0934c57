/** What threads of piscina load. */
import { move } from "piscina"
import * as bodies from "./bodies.mjs"

export const add = (args) => bodies.add(...args)
export const echo = (args) => bodies.echo(...args)
export const flip = (args) => move(bodies.flip(...args))
export const burn = (args) => bodies.burn(...args)
export const nap = (args) => bodies.nap(...args)
/** In chunks, to a port: nothing in piscina holds the generator up. */
export const rows = ({ count, port }) => {
  let chunk = []
  for (const row of bodies.rows(count)) {
    chunk.push(row)
    if (chunk.length === 1024) {
      port.postMessage(chunk)
      chunk = []
    }
  }
  port.postMessage(chunk)
  // Not by closing the port: that takes a turn of the event loop, and the thread waits without one.
  port.postMessage(undefined)
}

export const forever = () => bodies.forever()
export const tick = (args) => bodies.tick(...args)
export const gate = (args) => bodies.gate(...args)
export default add
