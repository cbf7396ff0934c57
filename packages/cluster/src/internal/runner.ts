/**
 * A runner: takes submitted tasks as its pool has free threads, and answers calls.
 *
 * It settles the receipt first and then acknowledges the item of the queue. If it dies in between, the
 * next runner finds the receipt settled and only acknowledges the item.
 */
import type * as Blocking from "effect-blocking/Blocking"
import { isJoinError, type JoinError } from "effect-blocking/JoinError"
import type { Task } from "effect-blocking/Task"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Metric from "effect/Metric"
import type { PersistedQueue } from "effect/persistence/PersistedQueue"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Tracer from "effect/Tracer"
import { ClusterPoolErrorReason, Incompatible, Parked } from "../ClusterPoolError.ts"
import { type AnyTask, type Definition, encodeJoinError, type Entry, entryFor, makeDerive } from "./definition.ts"
import type { Envelope, Reply, Run } from "./messages.ts"
import { settledCounter } from "./metrics.ts"
import type { Parts } from "./parts.ts"

export interface RunnerOptions {
  readonly maxAttempts: number
  readonly shutdownMillis: number
  readonly incompatibleMillis: number
}

/** A body is short up to this many milliseconds. Arbitrary: about ten trips to a database. */
const shortMillis = 100

/** Milliseconds that an item claimed ahead waits for a thread, before it is given back. Arbitrary. */
const claimTimeoutMillis = 500

/** The weight of the last body in the mean. Arbitrary: an outlier is forgotten after about twenty. */
const meanWeight = 0.2

/** The delay in milliseconds before another runner may take an item that this one cannot run. */
const passMillis = 1000

const encodeReason = Schema.encodeUnknownSync(Schema.toCodecJson(ClusterPoolErrorReason))

export const encodeParked = (parked: Parked): string => JSON.stringify(encodeReason(parked))

export class Runner {
  readonly id: string
  readonly threads: number
  private readonly definition: Definition
  private readonly parts: Parts
  private readonly pool: Blocking.Pool
  private readonly queue: PersistedQueue<Envelope>
  private readonly options: RunnerOptions
  /** The context of the layer: callbacks of tasks are called with it. */
  private readonly context: Context.Context<never>
  private readonly derive = makeDerive()
  /** Bodies that run or wait for a thread, of calls and of submitted tasks. */
  private busy = 0
  private readonly room = Latch.makeUnsafe(true)
  /** Items that are claimed and whose bodies have not ended. While a result is stored, the next item can be claimed. */
  private claims = 0
  private readonly claimable = Latch.makeUnsafe(true)
  /** The start times of the running bodies, oldest first. */
  private readonly begun = new Set<{ readonly at: number }>()
  /** The moving mean of the bodies' durations; infinite until one has ended. */
  private meanMillis = Infinity
  private leaving = false
  /** Items and calls whose results are not stored or sent. */
  private open = 0
  /** By item: completes when its result is no longer wanted. */
  private readonly taken = new Map<string, Deferred.Deferred<void>>()
  private readonly idleTakers = new Set<Fiber.Fiber<unknown, unknown>>()

  constructor(
    definition: Definition,
    parts: Parts,
    pool: Blocking.Pool,
    queue: PersistedQueue<Envelope>,
    threads: number,
    options: RunnerOptions,
    context: Context.Context<never>
  ) {
    this.id = SecureRandom.uuidV4Unsafe()
    this.definition = definition
    this.parts = parts
    this.pool = pool
    this.queue = queue
    this.threads = threads
    this.options = options
    this.context = context
  }

  get busyThreads(): number {
    return this.busy
  }

  // ---------------------------------------------------------------------------
  // Calls
  // ---------------------------------------------------------------------------

  /** Answers a call. If the caller interrupts it, or the connection ends, the body is interrupted. */
  readonly call = (request: typeof Run.payloadSchema.Type): Effect.Effect<Reply> =>
    this.counted(Effect.suspend(() => this.answer(request)))

  private counted<A, E>(self: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.suspend(() => {
      this.open++
      return Effect.ensuring(self, Effect.sync(() => this.open--))
    })
  }

  private answer(request: typeof Run.payloadSchema.Type): Effect.Effect<Reply> {
    if (this.leaving) return Effect.succeed(this.reply("leaving", ""))
    if (request.farm !== this.definition.farm) {
      const reason = new Incompatible({ side: "version", detail: `the runner is of ${this.definition.farm}` })
      return Effect.succeed(this.refusal(reason))
    }
    if (!request.wait && this.busy >= this.threads) return Effect.succeed(this.reply("busy", ""))
    const found = this.find(request)
    if (Result.isFailure(found)) return Effect.succeed(this.refusal(found.failure))
    const { args, entry } = found.success
    return Effect.flatMap(Effect.exit(this.run(this.derive(entry, request.options, 1), args)), (exit) => {
      if (Exit.isSuccess(exit)) return Effect.succeed(this.encoded("success", entry, exit.value))
      const error = Cause.findError(exit.cause)
      if (Result.isFailure(error)) return Effect.failCause(exit.cause as Cause.Cause<never>)
      return Effect.succeed(
        isJoinError(error.success)
          ? this.reply("joinError", encodeJoinError(error.success))
          : this.encoded("failure", entry, error.success)
      )
    })
  }

  private encoded(kind: "success" | "failure", entry: Entry, value: unknown): Reply {
    const text = (kind === "success" ? entry.success : entry.error).encode(value)
    return Result.isSuccess(text)
      ? this.reply(kind, text.success)
      : this.refusal(new Incompatible({ side: kind === "success" ? "success" : "error", detail: text.failure }))
  }

  private reply(kind: Reply["kind"], body: string): Reply {
    return { kind, body, busy: this.busy }
  }

  private refusal(reason: ClusterPoolErrorReason): Reply {
    return this.reply("refused", JSON.stringify(encodeReason(reason)))
  }

  private find(
    { payload, tag, version }: Pick<Envelope, "payload" | "tag" | "version">
  ): Result.Result<{ readonly entry: Entry; readonly args: ReadonlyArray<unknown> }, ClusterPoolErrorReason> {
    const entry = entryFor(this.definition, tag, version, "the runner")
    if (Result.isFailure(entry)) return Result.fail(entry.failure)
    if (entry.success.task.schemas.payload === undefined) return Result.succeed({ entry: entry.success, args: [] })
    const value = entry.success.payload.decode(payload)
    return Result.isSuccess(value)
      ? Result.succeed({ entry: entry.success, args: [value.success] })
      : Result.fail(new Incompatible({ side: "payload", detail: value.failure }))
  }

  private run(task: AnyTask, args: ReadonlyArray<unknown>): Effect.Effect<unknown, unknown> {
    const called = this.pool.run(task as Task<ReadonlyArray<unknown>, unknown, unknown, never>, ...args)
    return Effect.suspend(() => {
      this.busy++
      if (this.busy >= this.threads) this.room.closeUnsafe()
      const begun = { at: performance.now() }
      this.begun.add(begun)
      return Effect.ensuring(
        called,
        Effect.sync(() => {
          this.busy--
          this.begun.delete(begun)
          const millis = performance.now() - begun.at
          this.meanMillis = this.meanMillis === Infinity
            ? millis
            : this.meanMillis + (millis - this.meanMillis) * meanWeight
          if (this.busy < this.threads) this.room.openUnsafe()
          this.claimable.openUnsafe()
        })
      )
    }).pipe(Effect.updateContext((own: Context.Context<never>) => Context.merge(this.context, own)))
  }

  // ---------------------------------------------------------------------------
  // Submitted tasks
  // ---------------------------------------------------------------------------

  /** Takes items one after the other, each when there is a thread for it. */
  readonly take: Effect.Effect<never> = Effect.suspend(() => {
    const one = Effect.uninterruptibleMask((restore) => {
      const fiber = Fiber.getCurrent()!
      this.idleTakers.add(fiber)
      return Effect.andThen(
        restore(this.claim),
        Effect.suspend(() => {
          let held = true
          const release = Effect.sync(() => {
            if (!held) return
            held = false
            this.claims--
            this.claimable.openUnsafe()
          })
          const taken = this.queue.take((envelope, { attempts, id }) => {
            this.idleTakers.delete(fiber)
            return this.counted(this.handle(envelope, id, attempts, release))
          })
          return Effect.ensuring(restore(taken), release)
        })
      ).pipe(Effect.ensuring(Effect.sync(() => this.idleTakers.delete(fiber))))
    })
    return Effect.forever(
      Effect.catchCause(one, (cause) => {
        if (Cause.hasInterruptsOnly(cause)) return this.leaving ? Effect.interrupt : Effect.void
        const error = Cause.findError(cause)
        // The queue tries it again after a delay.
        if (Result.isSuccess(error) && isJoinError(error.success)) return Effect.void
        return Effect.andThen(
          Effect.logWarning("A runner could not take a task, and tries again", cause),
          Effect.sleep(500)
        )
      })
    )
  })

  /**
   * Waits until one more item may be claimed: one for each thread, and one more for each thread while bodies are
   * short, so that no thread waits for the storage.
   */
  private readonly claim: Effect.Effect<void> = Effect.suspend((): Effect.Effect<void> => {
    const [oldest] = this.begun
    const areShort = this.meanMillis < shortMillis &&
      (oldest === undefined || performance.now() - oldest.at < shortMillis)
    const most = areShort ? this.threads * 2 : this.threads
    // The durations of calls are unknown: while bodies are not short, a call counts as a claim.
    if (this.claims < most && (areShort || this.busy < this.threads)) {
      this.claims++
      return Effect.void
    }
    this.claimable.closeUnsafe()
    return Effect.andThen(this.claimable.await, this.claim)
  })

  private handle(
    envelope: Envelope,
    item: string,
    attempts: number,
    bodyEnded: Effect.Effect<void>
  ): Effect.Effect<void, unknown> {
    const { receipts } = this.parts
    const attributes = { farm: this.definition.farm, task: envelope.tag, attempt: attempts, runner: this.id }
    return Effect.gen({ self: this }, function*() {
      if (this.leaving) return yield* Effect.interrupt
      const found = this.find(envelope)
      if (Result.isFailure(found)) return yield* this.pass(envelope, item, found.failure)
      if (attempts > this.options.maxAttempts) {
        const detail = `its runner died while it ran, ${attempts - 1} times`
        return yield* this.park(envelope, item, attempts - 1, undefined, detail)
      }
      // Claimed ahead, but the body before it turned out to be long: another runner may have a free thread.
      const hasRoom = yield* Effect.raceFirst(
        Effect.as(this.room.await, true),
        Effect.as(Effect.sleep(claimTimeoutMillis), false)
      )
      if (!hasRoom) return yield* Effect.interrupt
      const executions = yield* receipts.begin(item, this.id)
      if (executions === undefined) return
      const { args, entry } = found.success
      const unwanted = Deferred.makeUnsafe<void>()
      this.taken.set(item, unwanted)
      const exit = yield* this.run(this.derive(entry, envelope.options, executions), args).pipe(
        Effect.exit,
        Effect.raceFirst(Effect.as(Deferred.await(unwanted), undefined)),
        Effect.ensuring(Effect.sync(() => this.taken.delete(item))),
        Effect.ensuring(bodyEnded)
      )
      if (exit === undefined) return
      if (Exit.isSuccess(exit)) {
        return yield* this.settle(envelope, item, "succeeded", executions, entry.success.encode(exit.value))
      }
      const error = Cause.findError(exit.cause)
      if (Result.isFailure(error)) {
        if (Cause.hasInterruptsOnly(exit.cause)) return yield* Effect.interrupt
        const detail = Cause.pretty(exit.cause)
        return attempts >= this.options.maxAttempts
          ? yield* this.park(envelope, item, executions, undefined, detail)
          : yield* Effect.failCause(exit.cause)
      }
      if (!isJoinError(error.success)) {
        return yield* this.settle(envelope, item, "failed", executions, entry.error.encode(error.success))
      }
      return yield* this.failed(envelope, item, attempts, executions, error.success)
    }).pipe(
      Effect.withSpan(`${this.definition.farm}.${envelope.tag}`, {
        kind: "consumer",
        attributes,
        ...(envelope.trace === undefined ? {} : { parent: Tracer.externalSpan(envelope.trace) })
      })
    )
  }

  private failed(
    envelope: Envelope,
    item: string,
    attempts: number,
    executions: number,
    error: JoinError
  ): Effect.Effect<void, unknown> {
    switch (error.reason._tag) {
      case "ShutDown":
      case "Cancelled":
        if (error.reason._tag === "ShutDown" || error.reason.by === "Shutdown") {
          // Its pool is closed: it can run nothing more.
          this.leaving = true
          return Effect.interrupt
        }
        break
      case "QueueFull":
      case "QueueTimedOut":
        return this.pass(envelope, item, undefined)
    }
    return attempts >= this.options.maxAttempts
      ? this.park(envelope, item, executions, error, error.message)
      : Effect.fail(error)
  }

  private settle(
    envelope: Envelope,
    item: string,
    state: "succeeded" | "failed" | "parked",
    executions: number,
    text: Result.Result<string, string>
  ): Effect.Effect<void, unknown> {
    const { receipts, waiters } = this.parts
    if (Result.isFailure(text)) {
      const detail = `its result does not fit its schema: ${text.failure}`
      const parked = new Parked({ executions, detail })
      return this.settle(envelope, item, "parked", executions, Result.succeed(encodeParked(parked)))
    }
    return receipts.settle(item, state, text.success).pipe(
      // While the lock holds: afterwards another runner takes the task.
      Effect.retry(Schedule.upTo(Schedule.spaced(200), { duration: this.parts.expirationMillis })),
      Effect.tap((first) =>
        first
          ? Metric.update(
            Metric.withAttributes(settledCounter, { farm: this.definition.farm, task: envelope.tag, state }),
            1
          )
          : Effect.void
      ),
      Effect.andThen(waiters.settledHere),
      // A shutdown waits for it: the body has ended and should not run again.
      Effect.uninterruptible
    )
  }

  private park(
    envelope: Envelope,
    item: string,
    executions: number,
    last: JoinError | undefined,
    detail: string
  ): Effect.Effect<void, unknown> {
    return Effect.andThen(
      Effect.logWarning(`Task "${envelope.tag}" on ${this.definition.farm} is parked: ${detail}`),
      Effect.suspend(() => {
        const text = encodeParked(new Parked({ executions, last, detail }))
        return this.settle(envelope, item, "parked", executions, Result.succeed(text))
      })
    )
  }

  /** Queues an item that this runner cannot run for other ones; parks it when no runner could for too long. */
  private pass(
    envelope: Envelope,
    item: string,
    reason: ClusterPoolErrorReason | undefined
  ): Effect.Effect<void, unknown> {
    const passes = envelope.passes + (reason === undefined ? 0 : 1)
    if (reason !== undefined && passes * passMillis > this.options.incompatibleMillis) {
      return this.park(envelope, item, 0, undefined, `no runner could run it: ${reason.message}`)
    }
    const next = { ...envelope, passes }
    return this.parts.receipts.requeue(
      item,
      "pending",
      { item: SecureRandom.uuidV4Unsafe(), envelope: JSON.stringify(next) },
      (row) => this.queue.offer(next, { id: row.item, delay: passMillis })
    )
  }

  // ---------------------------------------------------------------------------
  // Life
  // ---------------------------------------------------------------------------

  /** Writes a heartbeat, and stops the bodies of tasks that were cancelled, or settled by another runner. */
  readonly heartbeat = (address: { readonly host: string; readonly port: number }, startedMillis: number) =>
    Effect.gen({ self: this }, function*() {
      const { receipts } = this.parts
      const { busy, id, threads } = this
      yield* receipts.heartbeat({ id, farm: this.definition.farm, ...address, threads, busy, startedMillis })
      const gone = yield* receipts.gone(Array.from(this.taken.keys()))
      for (const item of gone) {
        const unwanted = this.taken.get(item)
        if (unwanted !== undefined) Deferred.doneUnsafe(unwanted, Effect.void)
      }
    })

  /** Takes no more tasks, and waits up to `shutdownMillis` for running ones. The takers of the rest are then interrupted, which gives their tasks back. */
  readonly leave: Effect.Effect<void> = Effect.suspend(() => {
    this.leaving = true
    return Effect.andThen(
      Fiber.interruptAll(this.idleTakers),
      Effect.ignore(Effect.timeout(
        Effect.repeat(Effect.sync(() => this.open), { until: (open) => open === 0, schedule: Schedule.spaced(10) }),
        Duration.millis(this.options.shutdownMillis)
      ))
    )
  })
}
