/** The module that tinypool's threads load. */
import { Tinypool } from "tinypool"
import * as bodies from "./bodies.mjs"

export const add = (args) => bodies.add(...args)
export const echo = (args) => bodies.echo(...args)
export const flip = (args) => Tinypool.move(bodies.flip(...args))
export const burn = (args) => bodies.burn(...args)
export const waves = (args) => bodies.waves(...args)
export const shout = (args) => bodies.shout(...args)
export const nap = (args) => bodies.nap(...args)
export const forever = () => bodies.forever()
export const tick = (args) => bodies.tick(...args)
export const gate = (args) => bodies.gate(...args)
export default add
