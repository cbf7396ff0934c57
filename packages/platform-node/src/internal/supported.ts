/** The oldest Node that this package supports. Effect 4 requires it, and the package's `engines` name it. */
const oldest = [22, 19] as const

/** Throws if Node is too old. The installation only warns, and later errors do not name the reason. */
export const assertSupported = (version: string): void => {
  const [major = 0, minor = 0] = version.split(".").map(Number)
  if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) return
  throw new Error(
    `@effect-blocking/platform-node needs Node ${
      oldest.join(".")
    } or later, and this is Node ${version}: install a later Node`
  )
}
