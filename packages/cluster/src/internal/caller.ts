/**
 * Sends calls to runners, each at most once.
 *
 * A call is sent again only if it certainly did not run: the connection never opened, or the runner
 * refused it. `Sharding` of `effect/cluster` is not used, because it sends a volatile message again,
 * without limit, when a connection is lost.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as RpcClient from "effect/rpc/RpcClient"
import type { RpcClientError } from "effect/rpc/RpcClientError"
import * as Scope from "effect/Scope"
import { type ClusterPoolErrorReason, NoRunner, RunnerLost, StorageFailed } from "../ClusterPoolError.ts"
import { group, type Reply, type Run } from "./messages.ts"
import type { Parts } from "./parts.ts"
import type { RunnerRow } from "./receipts.ts"
import { connect, nameOf } from "./transport.ts"

type Request = Omit<typeof Run.payloadSchema.Type, "wait">

interface Peer {
  readonly runner: RunnerRow
  readonly scope: Scope.Closeable
  readonly client: RpcClient.RpcClient<typeof Run, RpcClientError>
  /** Calls of this program that it has not answered. */
  outstanding: number
  /** The busy threads in its last reply. */
  busy: number
  lost: boolean
}

export interface CallerOptions {
  readonly maxPayload: number
  readonly patienceMillis: number
}

/** Milliseconds before the list of runners is read again. Arbitrary: less than a lock's expiration. */
const listMillis = 1000
/** Milliseconds before a runner that refused a connection is tried again. Arbitrary. */
const avoidedMillis = 2000

export class Caller {
  private readonly farm: string
  private readonly parts: Parts
  private readonly scope: Scope.Scope
  private readonly options: CallerOptions
  private readonly peers = new Map<string, Peer>()
  /** By runner: the time after which it may be tried again. */
  private readonly avoided = new Map<string, number>()
  private listed: { readonly at: number; readonly runners: ReadonlyArray<RunnerRow> } | undefined

  constructor(farm: string, parts: Parts, scope: Scope.Scope, options: CallerOptions) {
    this.farm = farm
    this.parts = parts
    this.scope = scope
    this.options = options
  }

  /** Returns a runner's reply, never `busy` or `leaving`. */
  readonly call = (request: Request): Effect.Effect<Reply, ClusterPoolErrorReason> =>
    Effect.gen({ self: this }, function*() {
      const startedAt = yield* Clock.currentTimeMillis
      while (true) {
        const now = yield* Clock.currentTimeMillis
        const runners = yield* this.reachable(now)
        const reply = yield* this.offer(runners, request)
        if (reply !== undefined) return reply
        const waitedMillis = (yield* Clock.currentTimeMillis) - startedAt
        if (waitedMillis >= this.options.patienceMillis) {
          return yield* Effect.fail(new NoRunner({ waitedMillis, known: this.listed?.runners.length ?? 0 }))
        }
        this.listed = undefined
        yield* Effect.sleep(Math.min(100, this.options.patienceMillis))
      }
    })

  /** Asks one runner after the other for a free thread, then the least busy one to queue it. `undefined`: no runner took it. */
  private offer(
    runners: ReadonlyArray<RunnerRow>,
    request: Request
  ): Effect.Effect<Reply | undefined, ClusterPoolErrorReason> {
    return Effect.gen({ self: this }, function*() {
      const left = new Set(runners)
      const full = new Set<RunnerRow>()
      while (left.size > 0) {
        const runner = this.choose(left)
        left.delete(runner)
        // Full by this program's own count: asked last.
        if (this.load(runner) >= 1 && left.size + full.size > 0) {
          full.add(runner)
          continue
        }
        const reply = yield* this.send(runner, { ...request, wait: left.size + full.size === 0 })
        if (reply === undefined) continue
        if (reply.kind !== "busy") return reply
        full.add(runner)
      }
      while (full.size > 0) {
        const runner = this.choose(full)
        full.delete(runner)
        const reply = yield* this.send(runner, { ...request, wait: true })
        if (reply !== undefined) return reply
      }
      return undefined
    })
  }

  /** The better of two at random: if all callers took the best one, it would be the busiest. */
  private choose(runners: ReadonlySet<RunnerRow>): RunnerRow {
    const all = Array.from(runners)
    const one = all[Math.floor(Math.random() * all.length)]!
    const other = all[Math.floor(Math.random() * all.length)]!
    return this.load(one) <= this.load(other) ? one : other
  }

  private load(runner: RunnerRow): number {
    const peer = this.peers.get(runner.id)
    return Math.max(peer?.outstanding ?? 0, peer?.busy ?? runner.busy) / Math.max(1, runner.threads)
  }

  /** Sends the request to one runner. `undefined`: it certainly did not run there. */
  private send(
    runner: RunnerRow,
    request: typeof Run.payloadSchema.Type
  ): Effect.Effect<Reply | undefined, RunnerLost> {
    return Effect.gen({ self: this }, function*() {
      const peer = yield* this.peerOf(runner)
      peer.outstanding++
      const reply = yield* peer.client.Run(request).pipe(
        Effect.catchTag("RpcClientError", ({ reason }) => {
          this.drop(peer)
          // The connection never opened, so the request was not sent.
          if (reason._tag === "SocketOpenError") return this.avoid(runner)
          return Effect.fail(new RunnerLost({ runner: nameOf(runner), cause: reason }))
        }),
        // The runner was shut down and stopped the body. The fiber's own interruption does not come here.
        Effect.catchCause((cause) =>
          Cause.hasInterruptsOnly(cause)
            ? Effect.fail(new RunnerLost({ runner: nameOf(runner) }))
            : Effect.failCause(cause)
        ),
        Effect.ensuring(Effect.sync(() => peer.outstanding--))
      )
      if (reply === undefined) return undefined
      peer.busy = reply.busy
      if (reply.kind === "leaving") return yield* this.avoid(runner)
      return reply
    })
  }

  private avoid(runner: RunnerRow): Effect.Effect<undefined> {
    return Effect.map(Clock.currentTimeMillis, (now) => {
      this.avoided.set(runner.id, now + avoidedMillis)
      return undefined
    })
  }

  private drop(peer: Peer): void {
    peer.lost = true
    if (this.peers.get(peer.runner.id) === peer) this.peers.delete(peer.runner.id)
  }

  private peerOf(runner: RunnerRow): Effect.Effect<Peer> {
    return Effect.suspend(() => {
      const known = this.peers.get(runner.id)
      return known === undefined || known.lost ? this.connect(runner) : Effect.succeed(known)
    })
  }

  private connect(runner: RunnerRow): Effect.Effect<Peer> {
    return Effect.uninterruptible(Effect.gen({ self: this }, function*() {
      const scope = yield* Scope.fork(this.scope)
      let peer: Peer | undefined
      const protocol = yield* connect(runner, this.options.maxPayload).pipe(
        Effect.provideService(RpcClient.ConnectionHooks, {
          onConnect: Effect.void,
          // Drops the connection, so that the next call opens a new one.
          onDisconnect: Effect.suspend(() => {
            if (peer !== undefined) this.drop(peer)
            // In a fiber of its own: closing the scope interrupts this one.
            return Effect.asVoid(Effect.forkIn(Scope.close(scope, Exit.void), this.scope))
          })
        }),
        Scope.provide(scope)
      )
      const client = yield* RpcClient.make(group, { spanPrefix: this.farm }).pipe(
        Effect.provideService(RpcClient.Protocol, protocol),
        Scope.provide(scope)
      )
      peer = { runner, scope, client, outstanding: 0, busy: runner.busy, lost: false }
      this.peers.set(runner.id, peer)
      return peer
    }))
  }

  private reachable(now: number): Effect.Effect<ReadonlyArray<RunnerRow>, StorageFailed> {
    return Effect.map(this.list(now), (runners) => {
      const known = new Set(runners.map(({ id }) => id))
      for (const id of this.avoided.keys()) if (!known.has(id)) this.avoided.delete(id)
      return runners.filter(({ id, port }) => port > 0 && (this.avoided.get(id) ?? 0) <= now)
    })
  }

  private list(now: number): Effect.Effect<ReadonlyArray<RunnerRow>, StorageFailed> {
    const { listed } = this
    if (listed === undefined || listed.runners.length === 0) return this.refresh(now)
    if (now - listed.at < listMillis) return Effect.succeed(listed.runners)
    // In the background, once for all calls meanwhile.
    this.listed = { ...listed, at: now }
    return Effect.as(Effect.forkIn(Effect.ignore(this.refresh(now)), this.scope), listed.runners)
  }

  private refresh(now: number): Effect.Effect<ReadonlyArray<RunnerRow>, StorageFailed> {
    return this.parts.receipts.runners(this.farm, this.parts.expirationMillis).pipe(
      Effect.mapError((cause) => new StorageFailed({ cause })),
      Effect.tap((runners) =>
        Effect.sync(() => {
          this.listed = { at: now, runners }
        })
      )
    )
  }
}
