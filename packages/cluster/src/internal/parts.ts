/** The parts of a storage, for farms. */
import type { PersistedQueueFactory } from "effect/persistence/PersistedQueue"
import type { Receipts } from "./receipts.ts"
import type { Waiters } from "./waiters.ts"

export const partsKey = "~@effect-blocking/cluster/ClusterStorage/parts"

export interface Parts {
  readonly queues: PersistedQueueFactory["Service"]
  readonly receipts: Receipts
  readonly waiters: Waiters
  /** A runner without a heartbeat for this long is taken for dead. */
  readonly expirationMillis: number
}
