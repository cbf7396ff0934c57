/** The oldest Node that this package runs on: Effect 4 asks for it, and the package's `engines` name it. */
const oldest = [22, 19] as const

/** Throws on a Node that is too old: installation only warns about it, and what fails later does not name the reason. */
export const assertSupported = (version: string): void => {
  const [major = 0, minor = 0] = version.split(".").map(Number)
  if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) return
  throw new Error(
    `@effect-blocking/platform-node needs Node ${
      oldest.join(".")
    } or later, and this is Node ${version}: install a later Node`
  )
}
