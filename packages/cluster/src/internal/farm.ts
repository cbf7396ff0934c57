/** The operations of a farm: calls, submissions and receipts. */
import * as SecureRandom from "effect/crypto/SecureRandom"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Metric from "effect/Metric"
import * as Option from "effect/Option"
import type { PersistedQueue } from "effect/persistence/PersistedQueue"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { ParkedTask } from "../ClusterPool.ts"
import {
  Cancelled,
  type ClusterPoolError,
  ClusterPoolErrorReason,
  Incompatible,
  NotEncodable,
  type Parked,
  PayloadTooLarge,
  ReceiptNotFound,
  StorageFailed,
  UnknownTask
} from "../ClusterPoolError.ts"
import { type AnyTask, decodeJoinError, type Definition, type Entry, optionsOf } from "./definition.ts"
import { Envelope, type Reply } from "./messages.ts"
import { calledCounter, submittedCounter } from "./metrics.ts"
import type { Parts } from "./parts.ts"
import type { Counts, Outcome, ReceiptKey, ReceiptRow, RunnerRow } from "./receipts.ts"

export type Call = (request: {
  readonly farm: string
  readonly tag: string
  readonly version: number
  readonly payload: string
  readonly options?: string | undefined
}) => Effect.Effect<Reply, ClusterPoolErrorReason>

export interface SubmitOptions {
  readonly key: string
  readonly delay?: Duration.Input | undefined
}

const decodeReason = Schema.decodeUnknownSync(Schema.toCodecJson(ClusterPoolErrorReason))
const decodeEnvelope = Schema.decodeUnknownSync(Schema.toCodecJson(Envelope))

export class Farm {
  readonly definition: Definition
  private readonly parts: Parts
  private readonly queue: PersistedQueue<Envelope>
  private readonly call: Call
  private readonly maxPayload: number

  constructor(
    definition: Definition,
    parts: Parts,
    queue: PersistedQueue<Envelope>,
    call: Call,
    maxPayload: number
  ) {
    this.definition = definition
    this.parts = parts
    this.queue = queue
    this.call = call
    this.maxPayload = maxPayload
  }

  // ---------------------------------------------------------------------------
  // Calls
  // ---------------------------------------------------------------------------

  run(task: AnyTask, args: ReadonlyArray<unknown>): Effect.Effect<unknown, unknown> {
    const { definition } = this
    return Effect.gen({ self: this }, function*() {
      const { entry, payload } = yield* this.encode(task, args)
      const { tag, version } = entry
      const reply = yield* this.call({
        farm: definition.farm,
        tag,
        version,
        payload,
        options: optionsOf(entry, task)
      })
      yield* Metric.update(
        Metric.withAttributes(calledCounter, { farm: definition.farm, task: tag, outcome: reply.kind }),
        1
      )
      switch (reply.kind) {
        case "success":
          return yield* this.decode(entry, "success", reply.body)
        case "failure":
          return yield* Effect.flatMap(this.decode(entry, "error", reply.body), Effect.fail)
        case "joinError":
          return yield* Effect.fail(decodeJoinError(reply.body))
        default:
          return yield* Effect.fail(decodeReason(JSON.parse(reply.body)))
      }
    }).pipe(Effect.catchIf(isReason, (reason) => Effect.fail(definition.error(task.name, reason))))
  }

  private encode(
    task: AnyTask,
    args: ReadonlyArray<unknown>
  ): Effect.Effect<{ readonly entry: Entry; readonly payload: string }, ClusterPoolErrorReason> {
    const entry = this.definition.entryOf(task)
    if (entry === undefined) {
      return Effect.fail(new UnknownTask({ known: this.definition.tags, where: "the program" }))
    }
    const payload = entry.payload.encode(entry.task.schemas.payload === undefined ? undefined : args[0])
    if (Result.isFailure(payload)) return Effect.fail(new NotEncodable({ detail: payload.failure }))
    const characters = payload.success.length
    return characters > this.maxPayload
      ? Effect.fail(new PayloadTooLarge({ characters, limit: this.maxPayload }))
      : Effect.succeed({ entry, payload: payload.success })
  }

  private decode(entry: Entry, side: "success" | "error", text: string): Effect.Effect<unknown, Incompatible> {
    const value = entry[side].decode(text)
    return Result.isSuccess(value)
      ? Effect.succeed(value.success)
      : Effect.fail(new Incompatible({ side, detail: value.failure }))
  }

  // ---------------------------------------------------------------------------
  // Submissions
  // ---------------------------------------------------------------------------

  submit(
    task: AnyTask,
    args: ReadonlyArray<unknown>,
    options: SubmitOptions
  ): Effect.Effect<Receipt, ClusterPoolError> {
    const { farm } = this.definition
    const { delay } = options
    const key = stored(options.key)
    return Effect.gen({ self: this }, function*() {
      const { entry, payload } = yield* this.encode(task, args)
      const { tag, version } = entry
      const span = yield* Effect.option(Effect.currentParentSpan)
      const envelope: Envelope = {
        tag,
        version,
        payload,
        options: optionsOf(entry, task),
        trace: Option.match(span, {
          onNone: () => undefined,
          onSome: ({ sampled, spanId, traceId }) => ({ sampled, spanId, traceId })
        }),
        passes: 0
      }
      const receipt = { farm, tag, key, version, item: SecureRandom.uuidV4Unsafe(), envelope: JSON.stringify(envelope) }
      yield* Effect.mapError(
        this.parts.receipts.submit(receipt, (row) => this.offer(row, delay)),
        (cause) => new StorageFailed({ cause })
      )
      yield* Metric.update(Metric.withAttributes(submittedCounter, { farm, task: tag }), 1)
      return new Receipt(this, entry, { farm, tag, key })
    }).pipe(Effect.mapError((reason) => this.definition.error(task.name, reason)))
  }

  receipt(task: AnyTask, given: string): Effect.Effect<Option.Option<Receipt>, ClusterPoolError> {
    const key = stored(given)
    const entry = this.definition.entryOf(task)
    const { farm, tags } = this.definition
    if (entry === undefined) {
      const reason = new UnknownTask({ known: tags, where: "the program" })
      return Effect.fail(this.definition.error(task.name, reason))
    }
    return Effect.map(
      this.ask(entry.tag, this.parts.receipts.find(farm, entry.tag, key)),
      Option.map(() => new Receipt(this, entry, { farm, tag: entry.tag, key }))
    )
  }

  private offer(row: ReceiptRow, delay?: Duration.Input): Effect.Effect<void, unknown> {
    return this.queue.offer(decodeEnvelope(JSON.parse(row.envelope)), { id: row.item, delay })
  }

  private ask<A>(task: string, self: Effect.Effect<A, unknown>): Effect.Effect<A, ClusterPoolError> {
    return Effect.mapError(self, (cause) => this.definition.error(task, new StorageFailed({ cause })))
  }

  find(key: ReceiptKey): Effect.Effect<Option.Option<ReceiptRow>, ClusterPoolError> {
    return this.ask(key.tag, this.parts.receipts.find(key.farm, key.tag, key.key))
  }

  settled(key: ReceiptKey): Effect.Effect<Outcome> {
    return this.parts.waiters.await(key)
  }

  cancel(key: ReceiptKey): Effect.Effect<boolean, ClusterPoolError> {
    return Effect.flatMap(
      this.find(key),
      Option.match({
        onNone: () => Effect.succeed(false),
        onSome: ({ item, state }) =>
          state === "pending"
            ? Effect.flatMap(
              this.ask(key.tag, this.parts.receipts.settle(item, "cancelled", undefined)),
              // Otherwise it was settled meanwhile, or queued again under another item.
              (first) => first ? Effect.as(this.parts.waiters.settledHere, true) : this.cancel(key)
            )
            : Effect.succeed(false)
      })
    )
  }

  /** Gives the result of a settled receipt, or its failure. */
  result(entry: Entry, { key, result, state }: Outcome): Effect.Effect<unknown, unknown> {
    const fail = (reason: ClusterPoolErrorReason) => Effect.fail(this.definition.error(entry.tag, reason))
    const decoded = (side: "success" | "error") => Effect.catch(this.decode(entry, side, result ?? ""), fail)
    switch (state) {
      case "succeeded":
        return decoded("success")
      case "failed":
        return Effect.flatMap(decoded("error"), Effect.fail)
      case "parked":
        return fail(decodeReason(JSON.parse(result!)))
      case "cancelled":
        return fail(new Cancelled())
      case undefined:
        return fail(new ReceiptNotFound({ key }))
    }
  }

  // ---------------------------------------------------------------------------
  // The farm
  // ---------------------------------------------------------------------------

  parked(limit: number): Effect.Effect<ReadonlyArray<ParkedTask>, ClusterPoolError> {
    return Effect.map(
      this.ask("*", this.parts.receipts.list(this.definition.farm, "parked", limit)),
      (rows) =>
        rows.map((row): ParkedTask => {
          const { detail, last } = decodeReason(JSON.parse(row.result!)) as Parked
          const { executions, key, submittedMillis, tag, updatedMillis, version } = row
          return { tag, key, version, executions, last, detail, submittedMillis, parkedMillis: updatedMillis }
        })
    )
  }

  putBack({ key, tag }: { readonly tag: string; readonly key: string }): Effect.Effect<boolean, ClusterPoolError> {
    const { farm } = this.definition
    return Effect.flatMap(
      this.find({ farm, tag, key }),
      Option.match({
        onNone: () => Effect.succeed(false),
        onSome: (row) => {
          const envelope = JSON.stringify({ ...decodeEnvelope(JSON.parse(row.envelope)), passes: 0 })
          const next = { item: SecureRandom.uuidV4Unsafe(), envelope }
          return this.ask(tag, this.parts.receipts.requeue(row.item, "parked", next, (row) => this.offer(row)))
        }
      })
    )
  }

  readonly stats: Effect.Effect<
    { readonly counts: Counts; readonly runners: ReadonlyArray<RunnerRow> },
    ClusterPoolError
  > = Effect.suspend(() =>
    this.ask(
      "*",
      Effect.all({
        counts: this.parts.receipts.counts(this.definition.farm),
        runners: this.parts.receipts.runners(this.definition.farm, this.parts.expirationMillis)
      })
    )
  )
}

export class Receipt {
  readonly task: string
  readonly key: string
  readonly await: Effect.Effect<unknown, unknown>
  readonly poll: Effect.Effect<Option.Option<Exit.Exit<unknown, unknown>>, ClusterPoolError>
  readonly cancel: Effect.Effect<boolean, ClusterPoolError>
  readonly status: Effect.Effect<Option.Option<ReceiptRow>, ClusterPoolError>

  constructor(farm: Farm, entry: Entry, key: ReceiptKey) {
    this.task = key.tag
    this.key = key.key
    this.await = Effect.flatMap(farm.settled(key), (outcome) => farm.result(entry, outcome))
    this.status = farm.find(key)
    this.poll = Effect.flatMap(this.status, (found) => {
      const { result, state } = Option.getOrElse(found, () => ({ result: undefined, state: undefined }))
      return state === "pending"
        ? Effect.succeed(Option.none())
        : Effect.map(Effect.exit(farm.result(entry, { ...key, state, result })), Option.some)
    })
    this.cancel = farm.cancel(key)
  }
}

/** The key as databases return it: they do not keep half a surrogate pair. */
const stored = (key: string): string => key.toWellFormed()

/** Reasons are wrapped in a `ClusterPoolError`. A task's own error is never a reason. */
const isReason = Schema.is(ClusterPoolErrorReason)
