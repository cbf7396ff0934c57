/**
 * Decides whether a write commits. Each write has a cell in memory that the program and the
 * connection's thread share. The cell changes once: the thread sets it directly before COMMIT, or
 * the program sets it when the write is interrupted. So no caller sees an interruption of a write
 * that commits later (Q4).
 */

/** How many writes can be in progress; further ones wait. Arbitrary. */
export const size = 16_384

/**
 * The contents of a cell: its state in the low bits, and the generation of its write above them. A
 * thread that comes late sees another generation, and does not touch the cell's new write.
 */
const Open = 0
const Committing = 1
const Cancelled = 2
const stateBits = 2
const maxGeneration = 2 ** (31 - stateBits)

/** The cells of one client, and a last one that says whether the database was opened before. */
export const make = (): SharedArrayBuffer => new SharedArrayBuffer((size + 1) * Int32Array.BYTES_PER_ELEMENT)

export const wasOpened = (cells: Int32Array): boolean => Atomics.exchange(cells, size, 1) === 1

const cellOf = (ticket: number): number => ticket % size

const valueOf = (ticket: number, state: number): number =>
  (Math.floor(ticket / size) % maxGeneration) << stateBits | state

/** Called by the thread directly before COMMIT. Returns `false` if it must not commit. */
export const mayCommit = (cells: Int32Array, ticket: number): boolean => {
  const open = valueOf(ticket, Open)
  return Atomics.compareExchange(cells, cellOf(ticket), open, valueOf(ticket, Committing)) === open
}

/** Gives each write a number, and with it a cell. */
export class Tickets {
  private last = size
  private readonly used = new Uint8Array(size)
  private readonly cells: Int32Array

  constructor(buffer: SharedArrayBuffer) {
    this.cells = new Int32Array(buffer)
  }

  /** Starts a write. At least one cell must be free. */
  take(): number {
    do this.last++
    while (this.used[cellOf(this.last)] === 1)
    const ticket = this.last
    this.used[cellOf(ticket)] = 1
    Atomics.store(this.cells, cellOf(ticket), valueOf(ticket, Open))
    return ticket
  }

  /** Ends a write. A thread that still runs it must not commit. */
  giveBack(ticket: number): void {
    this.cancel(ticket)
    this.used[cellOf(ticket)] = 0
  }

  /** `mayCommit` for a process, which shares no memory and asks. */
  mayCommit(ticket: number): boolean {
    return mayCommit(this.cells, ticket)
  }

  /** Cancels a write that is interrupted. Returns `false` if its commit has begun. */
  cancel(ticket: number): boolean {
    const open = valueOf(ticket, Open)
    return Atomics.compareExchange(this.cells, cellOf(ticket), open, valueOf(ticket, Cancelled)) === open
  }
}
