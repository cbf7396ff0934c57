/**
 * The classes of callbacks. In a pool thread they are functions with a key. In the program they
 * are keys of Effect as well: all of them share one prototype, and `pool/callbacks.ts`, when it
 * is loaded, sets the prototype of that one.
 *
 * Pool threads load this file: it imports nothing.
 */

const key = Symbol.for("effect-blocking/callbackKeys")

/** Two copies of this package can meet in one thread. */
const slot = globalThis as { [key]?: object }

const prototype: object = slot[key] ??= {}

/** Makes a class with the given static members. */
export const make = (members: object): object => {
  const made = function() {}
  Object.setPrototypeOf(made, prototype)
  // Defined, not assigned: a member may replace one that every function has, such as `call`.
  for (const [name, value] of Object.entries(members)) {
    Object.defineProperty(made, name, { value, enumerable: true, configurable: true })
  }
  return made
}

/** Lets all classes, those made before and later, inherit from the prototype of the given one. */
export const becomeLike = (service: object): void => {
  Object.setPrototypeOf(prototype, Object.getPrototypeOf(service) as object)
}
