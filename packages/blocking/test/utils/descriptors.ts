/** Keys, values and flags, in their order. */
export const descriptors = (value: object) =>
  Object.getOwnPropertyNames(value).map((key) => {
    const { configurable, enumerable, get, set, writable } = Object.getOwnPropertyDescriptor(value, key)!
    return [
      key,
      enumerable,
      writable ?? (get === undefined || set !== undefined),
      configurable,
      Reflect.get(value, key)
    ]
  })
