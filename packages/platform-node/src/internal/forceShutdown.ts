/** Forces all pools of the program to shut down now. */

const callbacks = new Set<() => void>()

export const onForceShutdown = (callback: () => void): () => void => {
  callbacks.add(callback)
  return () => callbacks.delete(callback)
}

/** Calls all callbacks. A callback may remove itself. */
export const forceShutdown = (): void => {
  for (const callback of Array.from(callbacks)) callback()
}
