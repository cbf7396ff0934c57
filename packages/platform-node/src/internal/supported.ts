/** The oldest supported Node: required by Effect 4, and named in the package's `engines`. */
const oldest = [22, 19] as const

/** Throws on a Node that is too old: installation only warns, and later failures do not name the reason. */
export const assertSupported = (version: string): void => {
  const [major = 0, minor = 0] = version.split(".").map(Number)
  if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) return
  throw new Error(
    `@effect-blocking/platform-node needs Node ${
      oldest.join(".")
    } or later, and this is Node ${version}: install a later Node`
  )
}
