/** What a `SqliteTask` is behind its public type. */
import type * as Task from "effect-blocking/Task"
import type { Reply } from "./reply.ts"
import type { MayCommit } from "./statements.ts"

export interface Definition {
  readonly module: string
  readonly name: string
  /** Its first argument is the ticket of the write. */
  readonly task: Task.Task<
    [ticket: number, ...args: ReadonlyArray<unknown>],
    Reply<{ readonly value: unknown }>,
    unknown
  >
  /** The same in a process, which asks the program before it commits. */
  readonly taskInProcess: Task.Task<
    [ticket: number, ...args: ReadonlyArray<unknown>],
    Reply<{ readonly value: unknown }>,
    unknown,
    MayCommit
  >
}
