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

export interface OwnedSharedFile extends SharedFlags {
  /** For the process that is to open it, too. */
  readonly fd: number
  /** `undefined` when it is closed: by then the number can be that of another file. */
  readonly descriptor: () => number | undefined
  readonly close: () => void
}

/**
 * Memory, where there is such a folder; elsewhere the file is in the page cache for its short
 * life. Any of them can be missing, full, or not be ours to write to, and the next be well.
 */
const folders = (): ReadonlyArray<string> => [...new Set(["/dev/shm", tmpdir(), "/tmp"])]

/** Throws if it can be made in none of the folders; each is named, with its error. */
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
  throw new AggregateError(failures, `No file can be made for a pool process in any of ${causes.join(", ")}`)
}

/** A file of all its bytes, which are zero. */
const create = (path: string): number => {
  const fd = openSync(path, "wx+", 0o600)
  try {
    // From here on only descriptors keep it: nothing is left behind, however the processes end.
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
