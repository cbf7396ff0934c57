/** A user of the library, who sees only its declarations. */
import type { ClusterPool, ClusterPoolError } from "@effect-blocking/cluster"
import type { SqliteClient, SqliteTask } from "@effect-blocking/sqlite"
import type { Effect, Option } from "effect"
import type { Blocking, JoinError, Task } from "effect-blocking"
import type { SqlError } from "effect/sql"
import * as library from "./lib/library.js"

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false
const same = <A>() => <B>(_: Same<A, B>): void => {}

type BoomOf = Task.WithoutMethods<library.Boom>

same<typeof library.boom>()<Task.Task<[n?: number | undefined], number, BoomOf>>(true)
same<typeof library.named>()<Task.Task<[], never, library.Boom>>(true)
same<typeof library.sub>()<Task.Task<[], never, Task.WithMethodsOf<library.Sub, library.Base>>>(true)
same<typeof library.run>()<Effect.Effect<number, BoomOf | JoinError.JoinError, Blocking.Blocking>>(true)
same<typeof library.runBytes>()<Effect.Effect<Uint8Array<ArrayBuffer>, JoinError.JoinError, library.Cpu>>(true)
same<typeof library.errors>()<ReadonlyArray<Task.ErrorClass> | undefined>(true)
same<typeof library.schemas>()<Task.TaskSchemas>(true)
// @ts-expect-error It is not `any`.
export const text: Effect.Effect<string, unknown, Blocking.Blocking> = library.failed
same<typeof library.move>()<SqliteTask.SqliteTask<readonly [amount: number], boolean, "nothing">>(true)
same<typeof library.moved>()<Effect.Effect<boolean, "nothing" | SqlError.SqlError, SqliteClient.SqliteClient>>(true)
same<typeof library.farmed>()<
  Effect.Effect<Option.Option<Date>, JoinError.JoinError | ClusterPoolError.ClusterPoolError, library.Farm>
>(true)
same<typeof library.submitted>()<
  Effect.Effect<ClusterPool.Receipt<Option.Option<Date>, never>, ClusterPoolError.ClusterPoolError, library.Farm>
>(true)
