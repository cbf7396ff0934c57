/** The module that piscina's threads load. */
import { move } from "piscina"
import * as bodies from "./bodies.mjs"
import { sendRows } from "./send-rows.mjs"

export const add = (args) => bodies.add(...args)
export const echo = (args) => bodies.echo(...args)
export const flip = (args) => move(bodies.flip(...args))
export const burn = (args) => bodies.burn(...args)
export const waves = (args) => bodies.waves(...args)
export const shout = (args) => bodies.shout(...args)
export const nap = (args) => bodies.nap(...args)
export const rows = ({ count, port }) => sendRows(count, port)
export const forever = () => bodies.forever()
export const tick = (args) => bodies.tick(...args)
export const gate = (args) => bodies.gate(...args)
export default add
