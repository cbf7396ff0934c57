/**
 * A `RemoteThread.SharedFlags` in an unlinked file, which two processes can both read and
 * write at any time, even if the other is blocked, and without native code of ours.
 *
 * Pool processes load this file.
 */
import { type SharedFlags, sharedFlagsBytes } from "effect-blocking/RemoteThread"
import { randomUUID } from "node:crypto"
import { closeSync, openSync, readSync, unlinkSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export interface OwnedSharedFile extends SharedFlags {
  /** The descriptor, also for the process that inherits it. */
  readonly fd: number
  /** `undefined` when it is closed: then the number may belong to another file. */
  readonly descriptor: () => number | undefined
  readonly close: () => void
}

/**
 * Memory, if the system has such a folder; elsewhere the file stays in the page cache for its short
 * life. A folder can be missing, full, or not writable: then the next is tried.
 */
const folders = (): ReadonlyArray<string> => [...new Set(["/dev/shm", tmpdir(), "/tmp"])]

/** Throws if no folder works; the error names each with its own error. */
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

/** Creates the file, with all its bytes zero. */
const create = (path: string): number => {
  const fd = openSync(path, "wx+", 0o600)
  try {
    // From here on, only descriptors keep it: it vanishes however the processes end.
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
