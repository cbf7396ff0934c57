/**
 * Identifies this copy of the package. Two versions can meet in one thread, or on the two sides
 * of a pool: a dependency brings its own, or an update replaces the files of a running program.
 *
 * Pool threads load this file: it imports nothing.
 */

export interface Version {
  /** As in package.json. */
  readonly version: string
  /** Incremented with each change of the messages or the control block. */
  readonly protocol: number
  /** The url of the code. */
  readonly place: string
}

const { url } = import.meta as ImportMeta & { readonly url: string }

export const current: Version = { version: "0.0.0", protocol: 1, place: url }

/** Why two copies cannot work together; `undefined` if they can. A copy without a version is older than any with one. */
export const conflict = (here: Version, there: Version | undefined): string | undefined =>
  there !== undefined && here.version === there.version && here.protocol === there.protocol
    ? undefined
    : `Two versions of effect-blocking meet: ${name(here)} and ${name(there)}. ${advice}`

/** Why a platform package cannot work with this one; `undefined` if it can. The two are published together. */
export const packageConflict = (packageName: string, version: string, place: string): string | undefined =>
  version === current.version
    ? undefined
    : `${packageName} ${version} (${place}) does not fit effect-blocking ${name(current)}. ${advice}`

const advice = "Install one version of effect-blocking and of its @effect-blocking packages (npm ls effect-blocking " +
  "shows who brings another), and restart a program that was running during an update"

const name = (version: Version | undefined): string =>
  version === undefined ? "one without a number" : `${version.version} (${version.place})`
