/**
 * A `RemoteThread.SharedFlags` in a file without a name: what two processes can both read and
 * write at any time, whatever the other is in, without native code of ours.
 *
 * Pool processes load this file.
 */
import { type SharedFlags, sharedFlagsBytes } from "effect-blocking/RemoteThread"
import { randomUUID } from "node:crypto"
import { closeSync, openSync, readSync, unlinkSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { failed } from "./failure.ts"

/** The first is memory. Elsewhere the file is in the page cache for its short life. */
const folders = (): ReadonlyArray<string> => ["/dev/shm", tmpdir()]

export interface OwnedSharedFile extends SharedFlags {
  /** For the process that is to open it, too. */
  readonly fd: number
  readonly close: () => void
}

/** In the first folder that takes it: one can be missing, read-only, or full (a container's /dev/shm has 64 MB). */
export const make = (): OwnedSharedFile => {
  const errors: Array<unknown> = []
  for (const folder of folders()) {
    try {
      const fd = makeIn(folder)
      return { ...open(fd), fd, close: () => closeSync(fd) }
    } catch (error) {
      errors.push(error)
    }
  }
  const causes = errors.map((error) => error instanceof Error ? error.message : String(error))
  throw failed(
    `A pool process needs a small file in ${folders().join(" or ")}, and neither takes it: ${causes.join("; ")}`
  )
}

const makeIn = (folder: string): number => {
  const path = join(folder, `effect-blocking-${randomUUID()}`)
  const fd = openSync(path, "wx+", 0o600)
  try {
    // From here on only descriptors keep it: nothing is left behind, however the processes end.
    unlinkSync(path)
    // Room is taken by writing; where there is little, less is written.
    const written = writeSync(fd, new Uint8Array(sharedFlagsBytes), 0, sharedFlagsBytes, 0)
    if (written < sharedFlagsBytes) throw new Error(`no space left in ${folder}`)
    return fd
  } catch (error) {
    closeSync(fd)
    throw error
  }
}

export const open = (fd: number): SharedFlags => ({
  read: (bytes, position) => void readSync(fd, bytes, 0, bytes.length, position),
  write: (bytes, position) => void writeSync(fd, bytes, 0, bytes.length, position)
})
