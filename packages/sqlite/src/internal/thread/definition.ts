/** The implementation of a `SqliteTask`. */
import type * as Task from "effect-blocking/Task"
import type { Reply } from "./reply.ts"
import type { MayCommit } from "./statements.ts"

export interface Definition {
  readonly module: string
  readonly name: string
  /** The first argument is the ticket of the write. */
  readonly task: Task.Task<
    [ticket: number, ...args: ReadonlyArray<unknown>],
    Reply<{ readonly value: unknown }>,
    unknown
  >
  /** The same task in a process, which asks the program before it commits. */
  readonly taskInProcess: Task.Task<
    [ticket: number, ...args: ReadonlyArray<unknown>],
    Reply<{ readonly value: unknown }>,
    unknown,
    MayCommit
  >
}
