/** A module namespace that is loaded, synchronously, when one of its exports is first read. */

declare const process: {
  readonly getBuiltinModule: (name: "node:module") => {
    readonly createRequire: (url: string) => (path: string) => Record<PropertyKey, unknown>
  }
}

const { url } = import.meta as ImportMeta & { readonly url: string }

export const lazyNamespace = (path: string): Record<PropertyKey, unknown> => {
  let namespace: Record<PropertyKey, unknown> | undefined
  const load = (): Record<PropertyKey, unknown> => {
    if (namespace === undefined) {
      const require = process.getBuiltinModule("node:module").createRequire(url)
      // The same file beside this one: `.ts` in the sources, `.js` once built.
      namespace = require(path.replace(/ts$/, url.endsWith(".ts") ? "ts" : "js"))
    }
    return namespace
  }
  return new Proxy({}, {
    get: (_, name) => load()[name],
    has: (_, name) => name in load(),
    ownKeys: () => Reflect.ownKeys(load()),
    getOwnPropertyDescriptor: (_, name) => ({ value: load()[name], enumerable: true, configurable: true })
  })
}
