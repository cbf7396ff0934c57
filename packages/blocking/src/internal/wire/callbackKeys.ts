/**
 * The classes of callbacks. In a pool thread they are functions with a key. In the program,
 * they are also keys of Effect, which they become when that side is loaded
 * (`pool/callbacks.ts`): all classes share one prototype, and that module sets the prototype's prototype.
 *
 * Pool threads load this file: it imports nothing.
 */

const key = Symbol.for("effect-blocking/callbackKeys")

/** Two copies of this package can be loaded in one thread. */
const slot = globalThis as { [key]?: object }

const prototype: object = slot[key] ??= {}

/** Makes a class with the given static members. */
export const make = (members: object): object => {
  const made = function() {}
  Object.setPrototypeOf(made, prototype)
  // Also replaces members of every function, such as `call`.
  for (const [name, value] of Object.entries(members)) {
    Object.defineProperty(made, name, { value, enumerable: true, configurable: true })
  }
  return made
}

/** Gives all classes, existing and future ones, the members that `service` inherits from its prototype. */
export const becomeLike = (service: object): void => {
  Object.setPrototypeOf(prototype, Object.getPrototypeOf(service) as object)
}
