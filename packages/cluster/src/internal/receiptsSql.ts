/** Receipts in a SQL database: SQLite or PostgreSQL. Times are from the database's clock, in milliseconds. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as SqlClient from "effect/sql/SqlClient"
import type { Outcome, ReceiptRow, Receipts, ReceiptState, RunnerRow } from "./receipts.ts"
import { noCounts } from "./receiptsMemory.ts"

interface Stored {
  readonly item: string
  readonly farm: string
  readonly tag: string
  readonly task_key: string
  readonly version: number
  readonly state: ReceiptState
  readonly executions: number
  readonly runner: string | null
  readonly result: string | null
  readonly envelope: string
  readonly submitted_at: number | string
  readonly updated_at: number | string
}

interface StoredOutcome extends Pick<Stored, "farm" | "tag" | "task_key" | "result"> {
  readonly state: Exclude<ReceiptState, "pending"> | null
}

interface StoredRunner {
  readonly id: string
  readonly farm: string
  readonly host: string
  readonly port: number
  readonly threads: number
  readonly busy: number
  readonly started_at: number | string
}

const rowOf = (stored: Stored): ReceiptRow => ({
  item: stored.item,
  farm: stored.farm,
  tag: stored.tag,
  key: stored.task_key,
  version: Number(stored.version),
  state: stored.state,
  executions: Number(stored.executions),
  runner: stored.runner ?? undefined,
  result: stored.result ?? undefined,
  envelope: stored.envelope,
  submittedMillis: Number(stored.submitted_at),
  updatedMillis: Number(stored.updated_at)
})

export const makeSql = Effect.fnUntraced(function*(prefix: string) {
  const sql = (yield* SqlClient.SqlClient).withoutTransforms()
  const receipts = sql(`${prefix}_receipts`)
  const runners = sql(`${prefix}_runners`)

  const now = sql.onDialectOrElse({
    pg: () => sql.literal("(EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::BIGINT"),
    orElse: () => sql.literal("CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)")
  })

  yield* sql`CREATE TABLE IF NOT EXISTS ${receipts} (
    farm VARCHAR(255) NOT NULL,
    tag VARCHAR(255) NOT NULL,
    task_key VARCHAR(255) NOT NULL,
    item VARCHAR(64) NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    state VARCHAR(10) NOT NULL,
    executions INTEGER NOT NULL,
    runner VARCHAR(64) NULL,
    result TEXT NULL,
    envelope TEXT NOT NULL,
    submitted_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (farm, tag, task_key)
  )`
  yield* sql`CREATE INDEX IF NOT EXISTS ${sql(`${prefix}_receipts_state`)} ON ${receipts} (farm, state, submitted_at)`
  yield* sql`CREATE TABLE IF NOT EXISTS ${runners} (
    id VARCHAR(64) NOT NULL PRIMARY KEY,
    farm VARCHAR(255) NOT NULL,
    host VARCHAR(255) NOT NULL,
    port INTEGER NOT NULL,
    threads INTEGER NOT NULL,
    busy INTEGER NOT NULL,
    started_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL
  )`

  // A list is one JSON parameter: the statement does not depend on its length, and stays prepared.
  const asked = sql.onDialectOrElse({
    pg: () => (json: string) =>
      sql`SELECT value ->> 0 AS farm, value ->> 1 AS tag, value ->> 2 AS task_key
        FROM jsonb_array_elements(${json}::jsonb)`,
    orElse: () => (json: string) =>
      sql`SELECT json_extract(value, '$[0]') AS farm, json_extract(value, '$[1]') AS tag,
        json_extract(value, '$[2]') AS task_key FROM json_each(${json})`
  })
  const listed = sql.onDialectOrElse({
    pg: () => (json: string) => sql`SELECT jsonb_array_elements_text(${json}::jsonb)`,
    orElse: () => (json: string) => sql`SELECT value FROM json_each(${json})`
  })

  const service: Receipts = {
    submit: (receipt, offer) => {
      const { envelope, farm, item, key, tag, version } = receipt
      return sql<Stored>`INSERT INTO ${receipts}
        (farm, tag, task_key, item, version, state, executions, envelope, submitted_at, updated_at)
        VALUES (${farm}, ${tag}, ${key}, ${item}, ${version}, 'pending', 0, ${envelope}, ${now}, ${now})
        ON CONFLICT (farm, tag, task_key) DO UPDATE SET farm = excluded.farm
        RETURNING *`.pipe(
        Effect.flatMap(([stored]) => {
          const row = rowOf(stored!)
          return row.state === "pending" ? Effect.as(offer(row), row) : Effect.succeed(row)
        }),
        sql.withTransaction
      )
    },
    begin: (item, runner) =>
      Effect.map(
        sql<{ readonly executions: number }>`UPDATE ${receipts}
          SET executions = executions + 1, runner = ${runner}, updated_at = ${now}
          WHERE item = ${item} AND state = 'pending' RETURNING executions`,
        ([row]) => row === undefined ? undefined : Number(row.executions)
      ),
    settle: (item, state, result) =>
      Effect.map(
        sql`UPDATE ${receipts} SET state = ${state}, result = ${result ?? null}, updated_at = ${now}
          WHERE item = ${item} AND state = 'pending' RETURNING item`,
        (rows) => rows.length > 0
      ),
    requeue: (item, from, next, offer) =>
      sql<Stored>`UPDATE ${receipts}
        SET item = ${next.item}, envelope = ${next.envelope}, state = 'pending', result = NULL, updated_at = ${now}
        WHERE item = ${item} AND state = ${from} RETURNING *`.pipe(
        Effect.flatMap(([stored]) =>
          stored === undefined ? Effect.succeed(false) : Effect.as(offer(rowOf(stored)), true)
        ),
        sql.withTransaction
      ),
    find: (farm, tag, key) =>
      Effect.map(
        sql<Stored>`SELECT * FROM ${receipts} WHERE farm = ${farm} AND tag = ${tag} AND task_key = ${key}`,
        ([stored]) => Option.map(Option.fromUndefinedOr(stored), rowOf)
      ),
    outcomes: (keys) =>
      Effect.map(
        sql<StoredOutcome>`SELECT asked.farm, asked.tag, asked.task_key, found.state, found.result
          FROM (${
          asked(JSON.stringify(keys.map(({ farm, key, tag }) => [farm, tag, key])))
        }) AS asked LEFT JOIN ${receipts} AS found
          ON found.farm = asked.farm AND found.tag = asked.tag AND found.task_key = asked.task_key
          WHERE found.state IS NULL OR found.state <> 'pending'`,
        (rows) =>
          rows.map(({ farm, result, state, tag, task_key }): Outcome => ({
            farm,
            tag,
            key: task_key,
            state: state ?? undefined,
            result: result ?? undefined
          }))
      ),
    gone: (items) =>
      items.length === 0 ? Effect.succeed([]) : Effect.map(
        sql<{ readonly item: string }>`SELECT item FROM ${receipts}
          WHERE state = 'pending' AND item IN (${listed(JSON.stringify(items))})`,
        (rows) => {
          const pending = new Set(rows.map(({ item }) => item))
          return items.filter((item) => !pending.has(item))
        }
      ),
    list: (farm, state, limit) =>
      Effect.map(
        sql<Stored>`SELECT * FROM ${receipts} WHERE farm = ${farm} AND state = ${state}
          ORDER BY submitted_at LIMIT ${limit}`,
        (rows) => rows.map(rowOf)
      ),
    counts: (farm) =>
      Effect.map(
        sql<{ readonly state: ReceiptState; readonly n: number | string; readonly repeated: number | string }>`
          SELECT state, COUNT(*) AS n, SUM(CASE WHEN executions > 1 THEN executions - 1 ELSE 0 END) AS repeated
          FROM ${receipts} WHERE farm = ${farm} GROUP BY state`,
        (rows) => ({
          states: { ...noCounts, ...Object.fromEntries(rows.map(({ n, state }) => [state, Number(n)])) },
          repeated: rows.reduce((sum, { repeated }) => sum + Number(repeated), 0)
        })
      ),
    forget: (olderThanMillis) =>
      sql`DELETE FROM ${receipts}
        WHERE state IN ('succeeded', 'failed', 'cancelled') AND updated_at < ${now} - ${olderThanMillis}`,
    heartbeat: ({ busy, farm, host, id, port, startedMillis, threads }) =>
      sql`INSERT INTO ${runners} (id, farm, host, port, threads, busy, started_at, seen_at)
        VALUES (${id}, ${farm}, ${host}, ${port}, ${threads}, ${busy}, ${startedMillis}, ${now})
        ON CONFLICT (id) DO UPDATE SET busy = excluded.busy, threads = excluded.threads, seen_at = excluded.seen_at`,
    leave: (runner) => sql`DELETE FROM ${runners} WHERE id = ${runner}`,
    runners: (farm, withinMillis) =>
      Effect.map(
        sql<StoredRunner>`SELECT * FROM ${runners} WHERE farm = ${farm} AND seen_at >= ${now} - ${withinMillis}
          ORDER BY id`,
        (rows) =>
          rows.map((row): RunnerRow => ({
            id: row.id,
            farm: row.farm,
            host: row.host,
            port: Number(row.port),
            threads: Number(row.threads),
            busy: Number(row.busy),
            startedMillis: Number(row.started_at)
          }))
      )
  }
  return service
})
