/** Tells all pools of the program that it is to end sooner than it would. */

const callbacks = new Set<() => void>()

export const onForceShutdown = (callback: () => void): () => void => {
  callbacks.add(callback)
  return () => callbacks.delete(callback)
}

/** Each callback may take itself off. */
export const forceShutdown = (): void => {
  for (const callback of Array.from(callbacks)) callback()
}
