/**
 * The classes of callbacks. In a pool thread they are functions with a key. In the program
 * they are keys of Effect as well, which they become when that side is loaded
 * (`pool/callbacks.ts`): all of them have one prototype, whose own it sets.
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
  // Also in the place of what every function has, such as `call`.
  for (const [name, value] of Object.entries(members)) {
    Object.defineProperty(made, name, { value, enumerable: true, configurable: true })
  }
  return made
}

/** From here on all classes have also what the given one has from its prototype: those made before, and those made later. */
export const becomeLike = (service: object): void => {
  Object.setPrototypeOf(prototype, Object.getPrototypeOf(service) as object)
}
