/** The client: the driver that `effect/sql` asks for, and the operations of `SqliteClient`. */
import { isJoinError } from "effect-blocking/JoinError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Reactivity } from "effect/reactivity/Reactivity"
import type * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import * as Stream from "effect/Stream"
import { randomUUID } from "node:crypto"
import { rename, rm, stat } from "node:fs/promises"
import { resolve as resolvePath } from "node:path"
import type { Checkpoint, CheckpointMode, Options, SqliteClient } from "../../SqliteClient.ts"
import type { SqliteTask } from "../../SqliteTask.ts"
import type { Definition } from "../thread/definition.ts"
import { Arrays, type Flags, Objects, Raw, SafeIntegers, Unprepared } from "../thread/reply.ts"
import * as tasks from "../thread/statements.ts"
import { checkpointer, walBytes } from "./checkpointer.ts"
import type { Database } from "./database.ts"
import { backupFailed, isFailure, refused, sqlError } from "./errors.ts"
import { isControl } from "./routing.ts"
import { hold, type Session } from "./session.ts"

/** Runs statements: the database, or a held connection. */
interface Target {
  execute(sql: string, params: ReadonlyArray<unknown>, flags: Flags): Effect.Effect<unknown, SqlError>
  stream(sql: string, params: ReadonlyArray<unknown>, flags: Flags): Stream.Stream<unknown, SqlError>
}

type Transform = (<A extends object>(rows: ReadonlyArray<A>) => ReadonlyArray<A>) | undefined

class TargetConnection<out T extends Target> implements Connection {
  readonly target: T

  constructor(target: T) {
    this.target = target
  }

  private run(sql: string, params: ReadonlyArray<unknown>, flags: Flags): Effect.Effect<unknown, SqlError> {
    return Effect.withFiber((fiber) =>
      this.target.execute(sql, params, fiber.getRef(SqlClient.SafeIntegers) ? flags | SafeIntegers : flags)
    )
  }

  private rows(
    sql: string,
    params: ReadonlyArray<unknown>,
    flags: Flags,
    transform: Transform
  ): Effect.Effect<ReadonlyArray<object>, SqlError> {
    const rows = this.run(sql, params, flags) as Effect.Effect<ReadonlyArray<object>, SqlError>
    return transform === undefined ? rows : Effect.map(rows, transform)
  }

  execute(sql: string, params: ReadonlyArray<unknown>, transform: Transform) {
    return this.rows(sql, params, Objects, transform)
  }

  executeUnprepared(sql: string, params: ReadonlyArray<unknown>, transform: Transform) {
    return this.rows(sql, params, Objects | Unprepared, transform)
  }

  executeRaw(sql: string, params: ReadonlyArray<unknown>) {
    return this.run(sql, params, Raw)
  }

  executeValues(sql: string, params: ReadonlyArray<unknown>) {
    return this.run(sql, params, Arrays) as Effect.Effect<ReadonlyArray<ReadonlyArray<unknown>>, SqlError>
  }

  executeValuesUnprepared(sql: string, params: ReadonlyArray<unknown>) {
    return this.run(sql, params, Arrays | Unprepared) as Effect.Effect<ReadonlyArray<ReadonlyArray<unknown>>, SqlError>
  }

  executeStream(sql: string, params: ReadonlyArray<unknown>, transform: Transform) {
    return Stream.unwrap(Effect.withFiber((fiber) => {
      const flags = fiber.getRef(SqlClient.SafeIntegers) ? SafeIntegers : Objects
      const rows = this.target.stream(sql, params, flags) as Stream.Stream<object, SqlError>
      return Effect.succeed(transform === undefined ? rows : Stream.mapArray(rows, transform as never))
    }))
  }
}

/** Numbers the clients of one program, which keeps their transactions apart. */
let clients = 0

export const make = Effect.fnUntraced(function*(
  database: Database,
  options: Options
): Effect.fn.Return<SqliteClient, never, Scope.Scope | Reactivity> {
  const scope = yield* Effect.scope
  const reactivity = yield* Reactivity
  const id = ++clients
  const { options: resolved, pools } = database
  const transactionService = Context.Service<
    SqlClient.TransactionConnection,
    readonly [conn: TargetConnection<Session>, depth: number]
  >(`@effect-blocking/sqlite/Transaction/${id}`)
  const onlyReads = Context.Reference<boolean>(`@effect-blocking/sqlite/onlyReads/${id}`, { defaultValue: () => false })
  const spanAttributes = [
    ...Object.entries(options.spanAttributes ?? {}),
    ["db.system.name", "sqlite"],
    ["db.namespace", resolved.filename]
  ] as const
  const transform = options.transformResultNames === undefined
    ? undefined
    : Statement.defaultTransforms(options.transformResultNames).array

  const anyConnection = new TargetConnection(database)
  const reserve = Effect.uninterruptibleMask((restore) =>
    Effect.map(
      hold(database, pools.writer, scope, { begin: undefined, onlyReads: false }, restore),
      (session) => new TargetConnection(session)
    )
  )

  const client = yield* SqlClient.make({
    acquirer: Effect.succeed(anyConnection),
    borrower: (use) => use(anyConnection),
    transactionAcquirer: reserve,
    transactionService: transactionService as never,
    compiler: Statement.makeCompilerSqlite(options.transformQueryNames),
    driver: "effect-blocking-sqlite",
    spanAttributes,
    ...(transform === undefined ? {} : { transformRows: transform })
  })

  const withTransaction = SqlClient.makeWithTransaction<
    SqlClient.TransactionConnection,
    TargetConnection<Session>
  >({
    transactionService,
    spanAttributes,
    // Includes BEGIN: it may wait for the lock of another process, and that wait is interruptible.
    acquireConnection: (restore) =>
      Effect.withFiber((fiber) => {
        const reads = fiber.getRef(onlyReads)
        const begin = fiber.getRef(SqlClient.BeginTransaction) ??
          (reads || resolved.readonly ? "BEGIN" : "BEGIN IMMEDIATE")
        const pool = reads ? pools.readers ?? pools.writer : pools.writer
        return Effect.map(hold(database, pool, scope, { begin, onlyReads: reads }, restore), (session) =>
          new TargetConnection(session))
      }),
    begin: () => Effect.void,
    savepoint: ({ target }, id) => target.savepoint(id),
    releaseSavepoint: ({ target }, id) => target.releaseSavepoint(id),
    commit: ({ target }) => target.commit,
    // If ROLLBACK fails, the transaction is rolled back when the connection is released.
    rollback: ({ target }) => target.rollback,
    rollbackSavepoint: ({ target }, id) => target.rollbackSavepoint(id)
  })

  if (resolved.autoInvalidate) {
    database.onWritten = (tables) => client.afterCommit(Effect.sync(() => reactivity.invalidateUnsafe(tables)))
  }
  yield* checkpointer(database)

  const session = Effect.map(Effect.serviceOption(transactionService), Option.map(([{ target }]) => target))

  const batch = (transform: Transform) => (statements: ReadonlyArray<Statement.Statement<unknown>>) =>
    Effect.flatMap(Effect.zip(session, SqlClient.SafeIntegers), ([session, safeIntegers]) => {
      const flags = safeIntegers ? Objects | SafeIntegers : Objects
      const compiled = statements.map((statement) => {
        const [sql, params] = statement.compile()
        return { sql, params }
      })
      const control = compiled.find(({ sql }) => isControl(sql))
      if (control !== undefined) return Effect.fail(refused(controlInBatch, control.sql))
      const results = Option.isSome(session)
        ? Effect.forEach(compiled, ({ params, sql }) => session.value.execute(sql, params, flags))
        : database.batch(compiled, flags)
      return transform === undefined
        ? results
        : Effect.map(results, (results) => results.map((rows) => transform(rows as ReadonlyArray<object>)))
    })

  const transact = (
    sqliteTask: SqliteTask<never, unknown, unknown>,
    ...args: ReadonlyArray<unknown>
  ): Effect.Effect<unknown, unknown> =>
    Effect.flatMap(session, (session) => {
      const { name, task, taskInProcess } = sqliteTask as object as Definition
      const source = `task "${name}"`
      const result = Option.isSome(session)
        ? session.value.call((lease) => lease.run(task, tasks.nested, ...args))
        : database.cancellable(
          (ticket) =>
            resolved.isolation === "process"
              ? database.inProcess(pools.writer.run(taskInProcess, ticket, ...args))
              : pools.writer.run(task, ticket, ...args),
          source
        )
      return Effect.mapError(
        Effect.map(result, ({ value }) => value),
        (error) => isJoinError(error) || isFailure(error) ? sqlError(error, "transact", source) : error
      )
    })

  /** Refuses a call inside a transaction: it would wait forever for the connection that the transaction holds. */
  const outside = (name: string) => <A, E>(effect: Effect.Effect<A, E | SqlError>): Effect.Effect<A, E | SqlError> =>
    Effect.flatMap(
      session,
      (session) =>
        Option.isSome(session)
          ? Effect.fail(refused(`sql.${name} cannot run in a transaction: call it outside`, undefined))
          : effect
    )

  const backup = (destination: string): Effect.Effect<void, SqlError> =>
    Effect.suspend(() => {
      const path = resolvePath(destination)
      // The copy gets its name when it is complete: nobody opens half a copy.
      const unfinished = `${path}.${randomUUID()}.unfinished`
      const files = <A>(use: () => Promise<A>) =>
        Effect.tryPromise({ try: use, catch: (cause) => backupFailed(path, cause) })
      const copy = Effect.flatMap((pools.readers ?? pools.writer).run(database.copyTask, unfinished), (reply) =>
        database.valueOf(reply))
      return Effect.andThen(
        files(() =>
          notTheSame(path, resolved.filename)
        ),
        database.withSqlErrors(database.whileBusy(copy), "backup", "VACUUM INTO")
      ).pipe(
        // SQLite would apply the log of the replaced file to the copy.
        Effect.andThen(files(() => remove(path, ["-wal", "-shm", "-journal"]))),
        Effect.andThen(files(() => rename(unfinished, path))),
        Effect.onError(() => Effect.promise(() => remove(unfinished, ["", "-journal"]).catch(() => {})))
      )
    })

  const extras = {
    batch: batch(transform),
    transact,
    backup: (destination: string) => outside("backup")(backup(destination)),
    withTransaction,
    readTransaction: <A, E, R>(self: Effect.Effect<A, E, R>) =>
      Effect.provideService(withTransaction(self), onlyReads, true),
    checkpoint: (mode: CheckpointMode = "passive") =>
      Effect.map(outside("checkpoint")(database.execute(`PRAGMA wal_checkpoint(${mode})`, [], Objects)), (rows) => {
        const [{ busy, checkpointed, log }] = rows as [{ busy: number; log: number; checkpointed: number }]
        return {
          complete: busy === 0 && checkpointed === log,
          pages: log,
          checkpointedPages: checkpointed
        } satisfies Checkpoint
      }),
    stats: Effect.all({
      writer: pools.writer.stats,
      readers: pools.readers?.stats ?? Effect.undefined,
      walBytes: walBytes(resolved.filename)
    })
  }
  const { withoutTransforms } = client
  return Object.assign(client, extras, {
    withoutTransforms(this: SqlClient.SqlClient) {
      return Object.assign(withoutTransforms.call(this), { batch: batch(undefined) })
    }
  }) as unknown as SqliteClient
})

const controlInBatch = "A batch is one transaction and cannot begin or end another: use sql.withTransaction"

const remove = async (path: string, endings: ReadonlyArray<string>): Promise<void> => {
  for (const ending of endings) await rm(`${path}${ending}`, { force: true })
}

const notTheSame = async (path: string, filename: string): Promise<void> => {
  const [there, own] = await Promise.all([path, filename].map((path) => stat(path).catch(() => undefined)))
  if (there !== undefined && own !== undefined && there.ino === own.ino && there.dev === own.dev) {
    throw new Error("it is the database itself")
  }
}
