/**
 * A `RemoteThread.SharedFlags` in a file without a name. Two processes can read and write it at
 * any time, even while the other is busy, without native code of ours.
 *
 * Pool processes load this file.
 */
import { type SharedFlags, sharedFlagsBytes } from "effect-blocking/RemoteThread"
import { randomUUID } from "node:crypto"
import { closeSync, openSync, readSync, unlinkSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export interface OwnedSharedFile extends SharedFlags {
  /** The descriptor, for the other process to inherit. */
  readonly fd: number
  /** The descriptor; `undefined` once closed, when the number can be that of another file. */
  readonly descriptor: () => number | undefined
  readonly close: () => void
}

/**
 * The first folder is in memory, where it exists; in the others the file stays in the page cache
 * for its short life. A folder can be missing, full or not writable: then the next one is used.
 */
const folders = (): ReadonlyArray<string> => [...new Set(["/dev/shm", tmpdir(), "/tmp"])]

/** Creates the file in the first folder that allows it. Otherwise throws an error that names each folder and its error. */
export const make = (candidates: ReadonlyArray<string> = folders()): OwnedSharedFile => {
  const failures: Array<unknown> = []
  for (const folder of candidates) {
    try {
      const fd = create(join(folder, `effect-blocking-${randomUUID()}`))
      let isOpen = true
      return {
        ...open(fd),
        fd,
        descriptor: () => isOpen ? fd : undefined,
        close: () => {
          isOpen = false
          closeSync(fd)
        }
      }
    } catch (error) {
      failures.push(error)
    }
  }
  const causes = candidates.map((folder, i) => `${folder} (${(failures[i] as Error).message})`)
  throw new AggregateError(failures, `No file can be created for a pool process in any of ${causes.join(", ")}`)
}

/** Creates the file at its full size, filled with zeros. */
const create = (path: string): number => {
  const fd = openSync(path, "wx+", 0o600)
  try {
    // Now only descriptors keep the file: nothing is left behind, however the processes end.
    unlinkSync(path)
    const written = writeSync(fd, new Uint8Array(sharedFlagsBytes), 0, sharedFlagsBytes, 0)
    if (written < sharedFlagsBytes) throw new Error(`ENOSPC: ${written} of ${sharedFlagsBytes} bytes were written`)
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
