/** What a storage keeps of each submitted task, and of the runners. */
import type { Effect } from "effect/Effect"
import type { Option } from "effect/Option"

/** `pending` until somebody has settled it; the first who does so wins. */
export type ReceiptState = "pending" | "succeeded" | "failed" | "cancelled" | "parked"

export interface ReceiptRow {
  /** Its name in the queue: another one each time it is queued anew. */
  readonly item: string
  readonly farm: string
  readonly tag: string
  readonly key: string
  readonly version: number
  readonly state: ReceiptState
  /** How often its body was begun. */
  readonly executions: number
  /** The runner that began it last. */
  readonly runner: string | undefined
  /** JSON: the encoded success or error, or why it is parked. */
  readonly result: string | undefined
  /** JSON: what was submitted, to queue it anew. */
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
  /** Executions beyond the first of each task. */
  readonly repeated: number
}

/** Every effect fails with what the database failed with. */
export interface Receipts {
  /** Adds a receipt, or finds the one of that key; queues it by `offer` if it is not settled, in one transaction. */
  readonly submit: <R>(
    receipt: NewReceipt,
    offer: (row: ReceiptRow) => Effect<void, unknown, R>
  ) => Effect<ReceiptRow, unknown, R>
  /** Counts an execution and gives how many there were; `undefined` if it is settled, or has another item by now. */
  readonly begin: (item: string, runner: string) => Effect<number | undefined, unknown>
  /** Whether it was this call that settled it. */
  readonly settle: (
    item: string,
    state: Exclude<ReceiptState, "pending">,
    result: string | undefined
  ) => Effect<boolean, unknown>
  /** Gives it a new item, in the state that it had or as pending, and queues it, in one transaction. */
  readonly requeue: <R>(
    item: string,
    from: ReceiptState,
    next: { readonly item: string; readonly envelope: string },
    offer: (row: ReceiptRow) => Effect<void, unknown, R>
  ) => Effect<boolean, unknown, R>
  readonly find: (farm: string, tag: string, key: string) => Effect<Option<ReceiptRow>, unknown>
  /** Those of them that are settled, and those that are not in the storage. */
  readonly outcomes: (keys: ReadonlyArray<ReceiptKey>) => Effect<ReadonlyArray<Outcome>, unknown>
  /** Which of these are settled, or have another item by now. */
  readonly gone: (items: ReadonlyArray<string>) => Effect<ReadonlyArray<string>, unknown>
  readonly list: (farm: string, state: ReceiptState, limit: number) => Effect<ReadonlyArray<ReceiptRow>, unknown>
  readonly counts: (farm: string) => Effect<Counts, unknown>
  /** Removes what was settled so long ago, but for what is parked. */
  readonly forget: (olderThanMillis: number) => Effect<void, unknown>
  readonly beat: (runner: RunnerRow) => Effect<void, unknown>
  readonly leave: (runner: string) => Effect<void, unknown>
  /** Those that have beaten within so many milliseconds. */
  readonly runners: (farm: string, withinMillis: number) => Effect<ReadonlyArray<RunnerRow>, unknown>
}

export interface ReceiptKey extends Pick<ReceiptRow, "farm" | "tag" | "key"> {}

export interface Outcome extends ReceiptKey {
  /** `undefined`: the storage has no such receipt. */
  readonly state: Exclude<ReceiptState, "pending"> | undefined
  readonly result: string | undefined
}

export const idOf = ({ farm, key, tag }: ReceiptKey): string => JSON.stringify([farm, tag, key])
