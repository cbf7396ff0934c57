/**
 * A `RemoteThread.SharedFlags` in a file without a name: what two processes can both read and
 * write at any time, whatever the other is in, without native code of ours.
 *
 * Pool processes load this file.
 */
import { type SharedFlags, sharedFlagsBytes } from "effect-blocking/RemoteThread"
import { randomUUID } from "node:crypto"
import { accessSync, closeSync, constants, openSync, readSync, unlinkSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** Memory, where there is such a folder; elsewhere the file is in the page cache for its short life. */
const folder = (): string => {
  try {
    accessSync("/dev/shm", constants.W_OK)
    return "/dev/shm"
  } catch {
    return tmpdir()
  }
}

export interface OwnedSharedFile extends SharedFlags {
  /** For the process that is to open it, too. */
  readonly fd: number
  readonly close: () => void
}

export const make = (): OwnedSharedFile => {
  const path = join(folder(), `effect-blocking-${randomUUID()}`)
  const fd = openSync(path, "wx+", 0o600)
  // From here on only descriptors keep it: nothing is left behind, however the processes end.
  unlinkSync(path)
  writeSync(fd, new Uint8Array(sharedFlagsBytes), 0, sharedFlagsBytes, 0)
  return { ...open(fd), fd, close: () => closeSync(fd) }
}

export const open = (fd: number): SharedFlags => ({
  read: (bytes, position) => void readSync(fd, bytes, 0, bytes.length, position),
  write: (bytes, position) => void writeSync(fd, bytes, 0, bytes.length, position)
})
