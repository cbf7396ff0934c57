/** Records all pools of the program, and the stalls of its event loop, until its scope closes. */
import * as Blocking from "effect-blocking/Blocking"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { basename } from "node:path"
import { performance } from "node:perf_hooks"
import { Stalls } from "../watchdog/hub.ts"
import { place } from "../watchdog/messages.ts"
import { type Failures, Recorder } from "./recorder.ts"
import type { Snapshot, StallView } from "./snapshot.ts"

/** How often new pools are looked for. Arbitrary: events of a pool before it is found are not recorded. */
const discoverMillis = 250

/** One sample per second. */
const discoveriesPerSample = 4

const maxStalls = 30

interface Watched {
  readonly recorder: Recorder
  readonly pool: Blocking.Pool
  readonly listening: Fiber.Fiber<void>
}

/** Starts recording. The result takes a snapshot. */
export const record = Effect.fnUntraced(function*(
  failures: Failures
): Effect.fn.Return<Effect.Effect<Snapshot>, never, Scope.Scope> {
  const scope = yield* Effect.scope
  const clock = yield* Clock.Clock
  const hub = yield* Stalls
  /** By their event streams: two services can wrap one pool. */
  const watched = new Map<Blocking.Pool["events"], Watched>()
  const stalls: Array<StallView> = []
  let lastId = 0
  let discoveries = 0
  let loop = performance.eventLoopUtilization()

  yield* Effect.acquireRelease(
    Effect.sync(() =>
      hub.listen(({ advice, frames, millis, site, stack }) => {
        const at = clock.currentTimeMillisUnsafe()
        stalls.unshift({ at, millis, stack, advice, site: site && place(site), frames: frames.map(place) })
        if (stalls.length > maxStalls) stalls.pop()
      })
    ),
    (unlisten) => Effect.sync(unlisten)
  )

  const discover = Effect.gen(function*() {
    const open = new Map((yield* Blocking.pools).map((pool) => [pool.events, pool]))
    for (const [events, { listening }] of watched) {
      if (open.has(events)) continue
      watched.delete(events)
      yield* Fiber.interrupt(listening)
    }
    for (const [events, pool] of open) {
      if (watched.has(events)) continue
      const recorder = new Recorder(++lastId, failures)
      const listening = yield* events.pipe(
        Stream.runForEachArray((events) =>
          Effect.sync(() => {
            const at = clock.currentTimeMillisUnsafe()
            for (const event of events) recorder.onEvent(event, at)
          })
        ),
        Effect.forkIn(scope, { startImmediately: true })
      )
      watched.set(events, { recorder, pool, listening })
    }
  })

  const step = Effect.gen(function*() {
    yield* discover
    discoveries++
    if (discoveries % discoveriesPerSample !== 0) return
    for (const { pool, recorder } of watched.values()) recorder.sample(yield* pool.stats)
  })

  yield* discover
  yield* Effect.forkIn(Effect.forever(Effect.andThen(Effect.sleep(discoverMillis), step)), scope)

  return Effect.gen(function*() {
    yield* discover
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, loop)
    loop = now
    const pools = yield* Effect.forEach(
      watched.values(),
      ({ pool, recorder }) => Effect.map(pool.stats, (stats) => recorder.view(stats))
    )
    return {
      at: clock.currentTimeMillisUnsafe(),
      program: {
        name: basename(process.argv[1] ?? "node"),
        pid: process.pid,
        node: process.version,
        uptimeMillis: Math.round(process.uptime() * 1000),
        memoryBytes: process.memoryUsage.rss(),
        eventLoop: utilization
      },
      watched: hub.watching > 0,
      stalls,
      pools
    }
  })
})
