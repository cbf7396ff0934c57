/** One pool of a test: the real scheduler on simulated threads, with a record of the calls. */
import * as Blocking from "effect-blocking/Blocking"
import type { JoinError } from "effect-blocking/JoinError"
import type { JoinHandle } from "effect-blocking/JoinHandle"
import * as Task from "effect-blocking/Task"
import * as ThreadHost from "effect-blocking/ThreadHost"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Sink from "effect/Sink"
import * as Stream from "effect/Stream"
import type { Call, Options } from "../BlockingTest.ts"
import { resolve } from "./options.ts"
import type { Hold, Plans, TaskId } from "./plans.ts"
import { SimulatedHost } from "./simulatedHost.ts"

type Recorded = { -readonly [K in keyof Call]: Call[K] }

const filler = Task.make(import.meta.url, "BlockingTest.fillQueue", () => {})

/** The state shared by all pools of a test. */
export class Shared {
  readonly pools = new Map<string, TestedPool>()
  readonly calls: Array<Call> = []
  readonly plans: Plans

  constructor(plans: Plans) {
    this.plans = plans
  }

  /** The pool with that key; without a key, the default pool or the only one. */
  find(key: string | undefined): TestedPool {
    const only = this.pools.size === 1 ? this.pools.values().next().value : undefined
    const found = key === undefined ? this.pools.get(Blocking.Blocking.key) ?? only : this.pools.get(key)
    if (found !== undefined) return found
    throw new Error(
      `BlockingTest: there is no pool ${JSON.stringify(key ?? Blocking.Blocking.key)} (the test has ` +
        `${Array.from(this.pools.keys(), (key) => JSON.stringify(key)).join(", ") || "no pool"}): ` +
        "provide it with BlockingTest.layer or BlockingTest.layerPool"
    )
  }
}

export class TestedPool {
  private fillers: ReadonlyArray<Hold> = []
  private closing: Fiber.Fiber<void> | undefined
  private readonly host: SimulatedHost
  private readonly pool: Blocking.Pool
  private readonly scope: Scope.Closeable
  private readonly shared: Shared

  constructor(host: SimulatedHost, pool: Blocking.Pool, scope: Scope.Closeable, shared: Shared) {
    this.host = host
    this.pool = pool
    this.scope = scope
    this.shared = shared
  }

  /** Closes the pool in a fiber of its own, so that callers can be interrupted and can call it again. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.closing ??= Effect.runForkWith(this.host.context)(Scope.close(this.scope, Exit.void))
    return Fiber.join(this.closing)
  })

  readonly fill: Effect.Effect<void> = Effect.gen({ self: this }, function*() {
    // Submitted one at a time, so that no submission finds the queue full.
    while (true) {
      const { idleThreads, maxThreads, queueCapacity, queueDepth, threads } = yield* this.pool.stats
      if (idleThreads === 0 && threads >= maxThreads && queueDepth >= queueCapacity) return
      this.fillers = [...this.fillers, this.shared.plans.hold(filler, { native: false, host: this.host })]
      yield* Effect.orDie(this.pool.spawnDetached(filler))
      yield* settled
    }
  })

  readonly drain: Effect.Effect<void> = Effect.suspend(() => {
    for (const hold of this.fillers) hold.release()
    this.fillers = []
    return settled
  })

  /** Closes the pool with its layer, without the clock, which the test no longer moves. */
  readonly end: Effect.Effect<void> = Effect.gen({ self: this }, function*() {
    yield* this.drain
    const held = yield* Effect.exit(endHeld(this.shared.plans.heldOn(this.host)))
    this.host.forceShutdown()
    yield* this.close
    for (const [key, pool] of this.shared.pools) {
      if (pool === this) this.shared.pools.delete(key)
    }
    yield* held
  })

  /** The pool, with its calls recorded. */
  get recorded(): Blocking.Pool {
    const { pool } = this
    const run = (run: Blocking.Pool["run"]): Blocking.Pool["run"] => (task, ...args) =>
      Effect.suspend(() => {
        const call = this.record(task, args)
        return Effect.onExit(run(task, ...args), (exit) => call.end(exit))
      })
    const stream = (stream: Blocking.Pool["stream"]): Blocking.Pool["stream"] => (task, ...args) =>
      Stream.unwrap(Effect.sync(() => {
        const call = this.record(task, args)
        return Stream.onExit(stream(task, ...args), (exit) => call.end(exit))
      }))
    const sink = (sink: Blocking.Pool["sink"]): Blocking.Pool["sink"] => (task, ...args) =>
      Sink.unwrap(Effect.sync(() => {
        const call = this.record(task, args)
        return Sink.onExit(sink(task, ...args), (exit) => call.end(exit))
      }))
    const pipe = (pipe: Blocking.Pool["pipe"]): Blocking.Pool["pipe"] => (task, ...args) => (self) =>
      Stream.unwrap(Effect.sync(() => {
        const call = this.record(task, args)
        return Stream.onExit(pipe(task, ...args)(self), (exit) => call.end(exit))
      }))
    const leased = (lease: Blocking.Lease): Blocking.Lease => ({
      run: run(lease.run),
      stream: stream(lease.stream),
      sink: sink(lease.sink),
      pipe: pipe(lease.pipe)
    })
    return {
      ...pool,
      run: run(pool.run),
      stream: stream(pool.stream),
      sink: sink(pool.sink),
      pipe: pipe(pool.pipe),
      spawn: (task, ...args) =>
        Effect.suspend(() => {
          const call = this.record(task, args)
          return Effect.onExit(pool.spawn(task, ...args), (exit) => call.endSpawned(exit))
        }),
      spawnDetached: (task, ...args) =>
        Effect.suspend(() => {
          const call = this.record(task, args)
          return Effect.onExit(pool.spawnDetached(task, ...args), (exit) => call.endSpawned(exit))
        }),
      lease: (use) => pool.lease((lease) => use(leased(lease))),
      leaseScoped: Effect.map(pool.leaseScoped, leased)
    }
  }

  private record(
    task: Pick<Task.Task<ReadonlyArray<never>, unknown, unknown>, "module" | "name" | "schemas">,
    args: ReadonlyArray<unknown>
  ) {
    const { module, name } = task
    const chunk = ThreadHost.bodyCalls(task, args)
    const calls = (chunk?.args ?? [args]).map((args): Recorded => ({
      task: name,
      module,
      args: task.schemas === undefined ? copyOf(args) : args,
      exit: undefined
    }))
    this.shared.calls.push(...calls)
    const end = (exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> =>
      Effect.sync(() => {
        const exits = chunk === undefined ? [exit] : chunk.exitsOf(exit)
        calls.forEach((call, i) => {
          if (i < exits.length) call.exit = exits[i]
          // The item of this call was not begun.
          else this.shared.calls.splice(this.shared.calls.indexOf(call), 1)
        })
      })
    return {
      end,
      endSpawned: (exit: Exit.Exit<JoinHandle<unknown, unknown>, JoinError>) =>
        Exit.isSuccess(exit)
          ? Effect.asVoid(
            Effect.forkDetach(Effect.flatMap(ThreadHost.exitOf(exit.value), end), { startImmediately: true })
          )
          : end(exit)
    }
  }
}

/** Lets the simulated threads run as far as they can: their microtasks run before this fiber resumes. */
export const settled: Effect.Effect<void> = Effect.yieldNow

/** Copies arguments, so that later changes and moves by the caller do not change the record. */
const copyOf = (args: ReadonlyArray<unknown>): ReadonlyArray<unknown> => {
  try {
    return structuredClone(args)
  } catch {
    return args
  }
}

/**
 * How long a run may be held, in real time, before a warning is printed, because the test may hang. The same
 * as for the test clock's own warning.
 */
const warnAfterMillis = 1000

/** Warns about a task that stays held, in case the test hangs. */
export const warnIfHeld = (hold: Hold): void => {
  // Real time, because the clock of the test may stand still.
  // @effect-diagnostics-next-line globalTimers:off
  const timer = setTimeout(() => {
    if (!hold.isUnreleased) return
    // Not through a logger, which a test under `it.effect` does not have.
    // oxlint-disable-next-line eslint/no-console
    console.warn(
      `Task "${hold.task.name}" is still held by BlockingTest.hold, and the test is waiting: ` +
        "release it, or move the clock past a limit; fork the effect that waits for it"
    )
  }, warnAfterMillis)
  timer.unref()
}

/** Ends the held runs. Dies if the test has not released them. */
export const endHeld = (holds: ReadonlyArray<Hold>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const unreleased = holds.filter((hold) => hold.isUnreleased).map(({ task }) => task)
    for (const { state } of holds) {
      if (state._tag === "Held") state.thread.exit(1)
    }
    return unreleased.length === 0 ? Effect.void : Effect.die(neverReleased(unreleased))
  })

const neverReleased = (tasks: ReadonlyArray<TaskId>): Error => {
  const names = Array.from(new Set(tasks.map(({ name }) => `"${name}"`)))
  return new Error(
    names.length === 1
      ? `Task ${names[0]} was held by BlockingTest.hold and never released`
      : `Tasks ${names.join(", ")} were held by BlockingTest.hold and never released`
  )
}

export const make = Effect.fnUntraced(function*(
  key: string,
  options: Options,
  shared: Shared
): Effect.fn.Return<Blocking.Pool, never, Scope.Scope> {
  const scheduler = resolve(options)
  const clock = yield* Clock.clockWith(Effect.succeed)
  const context = yield* Effect.context<never>()
  const host = new SimulatedHost(clock, context, shared.plans)
  // A scope of its own, so that the test can close the pool before its layer.
  const scope = yield* Scope.make()
  const pool = yield* Scope.provide(ThreadHost.makePool(key, host, scheduler), scope)
  const tested = new TestedPool(host, pool, scope, shared)
  shared.pools.set(key, tested)
  yield* Effect.addFinalizer(() => tested.end)
  return tested.recorded
})
