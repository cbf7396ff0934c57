/** The records that a storage keeps of submitted tasks, and of runners. */
import type { Effect } from "effect/Effect"
import type { Option } from "effect/Option"

/** `pending` until it is settled; the first to settle it wins. */
export type ReceiptState = "pending" | "succeeded" | "failed" | "cancelled" | "parked"

export interface ReceiptRow {
  /** Its id in the queue: a new one each time it is queued again. */
  readonly item: string
  readonly farm: string
  readonly tag: string
  readonly key: string
  readonly version: number
  readonly state: ReceiptState
  /** The number of times that its body was started. */
  readonly executions: number
  /** The runner that started it last. */
  readonly runner: string | undefined
  /** JSON: the encoded success or error, or the reason why it is parked. */
  readonly result: string | undefined
  /** JSON: the submitted envelope, to queue it again. */
  readonly envelope: string
  readonly submittedMillis: number
  readonly updatedMillis: number
}

export interface NewReceipt extends Pick<ReceiptRow, "farm" | "tag" | "key" | "version" | "envelope" | "item"> {}

export interface RunnerRow {
  readonly id: string
  readonly farm: string
  readonly host: string
  /** 0: it takes no calls. */
  readonly port: number
  readonly threads: number
  readonly busy: number
  readonly startedMillis: number
}

export interface Counts {
  readonly states: Readonly<Record<ReceiptState, number>>
  /** Executions after the first, over all tasks. */
  readonly repeated: number
}

/** Every effect fails with the error of the database. */
export interface Receipts {
  /** Adds a receipt, or finds the one with its key; queues it by `offer` unless it is settled, in one transaction. */
  readonly submit: <R>(
    receipt: NewReceipt,
    offer: (row: ReceiptRow) => Effect<void, unknown, R>
  ) => Effect<ReceiptRow, unknown, R>
  /** Counts an execution and returns the count; `undefined` if it is settled, or has another item by now. */
  readonly begin: (item: string, runner: string) => Effect<number | undefined, unknown>
  /** Settles a pending receipt. `false` if it is settled already, or has another item by now. */
  readonly settle: (
    item: string,
    state: Exclude<ReceiptState, "pending">,
    result: string | undefined
  ) => Effect<boolean, unknown>
  /** Makes a receipt in the state `from` pending under a new item, and queues it by `offer`, in one transaction. */
  readonly requeue: <R>(
    item: string,
    from: ReceiptState,
    next: { readonly item: string; readonly envelope: string },
    offer: (row: ReceiptRow) => Effect<void, unknown, R>
  ) => Effect<boolean, unknown, R>
  readonly find: (farm: string, tag: string, key: string) => Effect<Option<ReceiptRow>, unknown>
  /** For the given keys: the settled receipts and the missing ones. */
  readonly outcomes: (keys: ReadonlyArray<ReceiptKey>) => Effect<ReadonlyArray<Outcome>, unknown>
  /** Returns those of the given items that are settled, or whose receipt has another item by now. */
  readonly gone: (items: ReadonlyArray<string>) => Effect<ReadonlyArray<string>, unknown>
  readonly list: (farm: string, state: ReceiptState, limit: number) => Effect<ReadonlyArray<ReceiptRow>, unknown>
  readonly counts: (farm: string) => Effect<Counts, unknown>
  /** Removes the receipts that were settled longer ago than this, except parked ones. */
  readonly forget: (olderThanMillis: number) => Effect<void, unknown>
  readonly heartbeat: (runner: RunnerRow) => Effect<void, unknown>
  readonly leave: (runner: string) => Effect<void, unknown>
  /** The runners whose last heartbeat is at most `withinMillis` old. */
  readonly runners: (farm: string, withinMillis: number) => Effect<ReadonlyArray<RunnerRow>, unknown>
}

export interface ReceiptKey extends Pick<ReceiptRow, "farm" | "tag" | "key"> {}

export interface Outcome extends ReceiptKey {
  /** `undefined`: the storage has no such receipt. */
  readonly state: Exclude<ReceiptState, "pending"> | undefined
  readonly result: string | undefined
}

export const idOf = ({ farm, key, tag }: ReceiptKey): string => JSON.stringify([farm, tag, key])
