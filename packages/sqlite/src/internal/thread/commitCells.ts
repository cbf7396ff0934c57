/**
 * Who decides about a write. Each has a cell in memory that the program and the connection's
 * thread share, and changes it once: the thread directly before COMMIT, or the program when it
 * gives the write up. So nobody is told "cancelled" of what is committed later (Q4).
 */

/** Writes that can be on their way at once; the others wait. Arbitrary. */
export const size = 16_384

/** What a cell holds: its state, and above it the generation of its write, so that a late thread finds none of another. */
const Open = 0
const Committing = 1
const Cancelled = 2
const stateBits = 2
const maxGeneration = 2 ** (31 - stateBits)

/** The cells of one client, and behind them the one that says whether the database was opened before. */
export const make = (): SharedArrayBuffer => new SharedArrayBuffer((size + 1) * Int32Array.BYTES_PER_ELEMENT)

export const wasOpened = (cells: Int32Array): boolean => Atomics.exchange(cells, size, 1) === 1

const cellOf = (ticket: number): number => ticket % size

const valueOf = (ticket: number, state: number): number =>
  (Math.floor(ticket / size) % maxGeneration) << stateBits | state

/** The thread is about to commit; `false`: it must not. */
export const mayCommit = (cells: Int32Array, ticket: number): boolean => {
  const open = valueOf(ticket, Open)
  return Atomics.compareExchange(cells, cellOf(ticket), open, valueOf(ticket, Committing)) === open
}

/** Gives each write its number, and with it a cell. */
export class Tickets {
  private last = size
  private readonly used = new Uint8Array(size)
  private readonly cells: Int32Array

  constructor(buffer: SharedArrayBuffer) {
    this.cells = new Int32Array(buffer)
  }

  /** A new write. One cell at least has to be free. */
  take(): number {
    do this.last++
    while (this.used[cellOf(this.last)] === 1)
    const ticket = this.last
    this.used[cellOf(ticket)] = 1
    Atomics.store(this.cells, cellOf(ticket), valueOf(ticket, Open))
    return ticket
  }

  /** The write is told. A thread that still runs it must not commit. */
  giveBack(ticket: number): void {
    this.cancel(ticket)
    this.used[cellOf(ticket)] = 0
  }

  /** For a process, which asks: it is about to commit. */
  mayCommit(ticket: number): boolean {
    return mayCommit(this.cells, ticket)
  }

  /** The program gives the write up; `false`: it is being committed, or is. */
  cancel(ticket: number): boolean {
    const open = valueOf(ticket, Open)
    return Atomics.compareExchange(this.cells, cellOf(ticket), open, valueOf(ticket, Cancelled)) === open
  }
}
