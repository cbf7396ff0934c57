/** Receipts in the memory of one program, for `layerMemory`. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import {
  type Counts,
  idOf,
  type Outcome,
  type ReceiptRow,
  type Receipts,
  type ReceiptState,
  type RunnerRow
} from "./receipts.ts"

type Row = { -readonly [K in keyof ReceiptRow]: ReceiptRow[K] }

export const makeMemory = (): Receipts => {
  const byId = new Map<string, Row>()
  const byItem = new Map<string, Row>()
  const beats = new Map<string, { readonly runner: RunnerRow; readonly at: number }>()

  const changed = <A>(f: (now: number) => A): Effect.Effect<A> => Effect.map(Clock.currentTimeMillis, f)

  return {
    submit: (receipt, offer) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const id = idOf(receipt)
        let row = byId.get(id)
        if (row === undefined) {
          row = {
            ...receipt,
            state: "pending",
            executions: 0,
            runner: undefined,
            result: undefined,
            submittedMillis: now,
            updatedMillis: now
          }
          byId.set(id, row)
          byItem.set(row.item, row)
        }
        const given = { ...row }
        return row.state === "pending" ? Effect.as(offer(given), given) : Effect.succeed(given)
      }),
    begin: (item, runner) =>
      changed((now) => {
        const row = byItem.get(item)
        if (row?.state !== "pending") return undefined
        row.runner = runner
        row.updatedMillis = now
        return ++row.executions
      }),
    settle: (item, state, result) =>
      changed((now) => {
        const row = byItem.get(item)
        if (row?.state !== "pending") return false
        row.state = state
        row.result = result
        row.updatedMillis = now
        return true
      }),
    requeue: (item, from, next, offer) =>
      Effect.suspend(() => {
        const row = byItem.get(item)
        if (row?.state !== from) return Effect.succeed(false)
        byItem.delete(item)
        byItem.set(next.item, row)
        Object.assign(row, next, { state: "pending", result: undefined })
        return Effect.as(offer({ ...row }), true)
      }),
    find: (farm, tag, key) =>
      Effect.sync(() => Option.map(Option.fromUndefinedOr(byId.get(idOf({ farm, tag, key }))), (row) => ({ ...row }))),
    outcomes: (keys) =>
      Effect.sync(() =>
        keys.flatMap((key): ReadonlyArray<Outcome> => {
          const row = byId.get(idOf(key))
          return row?.state === "pending" ? [] : [{ ...key, state: row?.state, result: row?.result }]
        })
      ),
    gone: (items) => Effect.sync(() => items.filter((item) => byItem.get(item)?.state !== "pending")),
    list: (farm, state, limit) =>
      Effect.sync(() =>
        Array.from(byId.values()).filter((row) => row.farm === farm && row.state === state).slice(0, limit)
          .map((row) => ({ ...row }))
      ),
    counts: (farm) =>
      Effect.sync((): Counts => {
        const states: Record<ReceiptState, number> = { ...noCounts }
        let repeated = 0
        for (const row of byId.values()) {
          if (row.farm !== farm) continue
          states[row.state]++
          repeated += Math.max(0, row.executions - 1)
        }
        return { states, repeated }
      }),
    forget: (olderThanMillis) =>
      changed((now) => {
        for (const [id, row] of byId) {
          if (row.state === "pending" || row.state === "parked" || now - row.updatedMillis < olderThanMillis) continue
          byId.delete(id)
          byItem.delete(row.item)
        }
      }),
    heartbeat: (runner) =>
      changed((at) => {
        beats.set(runner.id, { runner, at })
      }),
    leave: (runner) => Effect.sync(() => void beats.delete(runner)),
    runners: (farm, withinMillis) =>
      changed((now) =>
        Array.from(beats.values()).filter(({ at, runner }) => runner.farm === farm && now - at <= withinMillis)
          .map(({ runner }) => runner)
      )
  }
}

export const noCounts: Readonly<Record<ReceiptState, number>> = {
  pending: 0,
  succeeded: 0,
  failed: 0,
  cancelled: 0,
  parked: 0
}
