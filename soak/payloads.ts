/**
 * The soak of payloads: random values are arguments and results of tasks on real threads, which are stopped, die and run
 * out of memory meanwhile. Then it checks the history: each submission has one outcome and ran at most once, bodies and
 * callers got the right values although both sides change their own afterwards, no memory of arguments is kept, and the
 * memory of the process is flat.
 *
 *   npm run soak:payloads           two minutes; same options as `npm run soak`
 *
 * Exits with 1 if a check fails, and is killed if it hangs. `.ci/run` runs it for some seconds with a fixed seed.
 */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { Array as Arr, Effect, Exit, Fiber, Scope } from "effect"
import { type Blocking, Task } from "effect-blocking"
import { Payloads } from "../packages/blocking/src/internal/scheduler/payloads.ts"
import { ResultReader } from "../packages/blocking/src/internal/wire/resultRing.ts"
import { random, run } from "./generations.ts"
import { capacity, checkHistory, choose, cut, type History, makeHistory, type Mix, recorded } from "./history.ts"
import * as tasks from "./payloadTasks.ts"
import { isArrived, type Size, spoil, valueOf } from "./values.ts"

const generationMillis = 4000

// -----------------------------------------------------------------------------
// Counters of the ways that values cross
// -----------------------------------------------------------------------------

const figures = { written: 0, posted: 0, fromRings: 0, compared: 0, stops: 0, deaths: 0 }
/** The argument memories of the pools of one generation. */
const memories = new Set<Payloads>()

const { write } = Payloads.prototype
Payloads.prototype.write = function(value) {
  memories.add(this)
  const address = write.call(this, value)
  if (address === undefined) figures.posted++
  else figures.written++
  return address
}

const { value: read } = ResultReader.prototype
ResultReader.prototype.value = function(reader, start, parts) {
  figures.fromRings++
  return read.call(this, reader, start, parts)
}

// -----------------------------------------------------------------------------
// Actions of callers
// -----------------------------------------------------------------------------

type Action = (pool: Blocking.Pool, history: History) => Effect.Effect<void>

let lastSeed = 0
const nextSeed = (): number => lastSeed += 2

/** Values that arrived differently, with the seed and size to reproduce them. */
const differing: Array<string> = []

const isGiven = (seed: number, size: Size) => (value: unknown): boolean => {
  figures.compared++
  const isRight = isArrived(value, valueOf(seed, size))
  if (!isRight) differing.push(`the value made from seed ${seed}, size ${size}, arrived as a different value`)
  return isRight
}

/** Makes a value, passes it, and changes it. */
const passing = <A, E, R>(
  seed: number,
  size: Size,
  call: (value: object) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const value = valueOf(seed, size) as object
    return Effect.flatMap(
      Effect.forkChild(call(value), { startImmediately: true }),
      (fiber) => {
        spoil(value)
        return Fiber.join(fiber)
      }
    )
  })

const echo = (pool: Blocking.Pool, history: History, size: Size): Effect.Effect<void> => {
  const seed = nextSeed()
  return recorded(
    history,
    (_, index) => passing(seed, size, (value) => pool.run(tasks.echo, index, seed, size, value)),
    isGiven(seed + 1, size)
  )
}

const identity = (pool: Blocking.Pool, history: History, size: Size): Effect.Effect<void> => {
  const seed = nextSeed()
  return recorded(
    history,
    (_, index) => passing(seed, size, (value) => pool.run(tasks.identity, index, seed, size, value)),
    isGiven(seed, size)
  )
}

const make = (pool: Blocking.Pool, history: History, size: Size): Effect.Effect<void> => {
  const seed = nextSeed()
  return recorded(history, (_, index) => pool.run(tasks.make, index, seed, size), isGiven(seed, size))
}

const burst = (
  count: number,
  action: (size: Size) => Effect.Effect<void>,
  size: () => Size = () => random(20) === 0 ? "any" : "small"
): Effect.Effect<void> =>
  Effect.forEach(Arr.range(1, count), () => action(size()), {
    concurrency: "unbounded",
    discard: true
  })

/** Submissions whose values cannot cross threads. */
const refusals = new Set<number>()

const refused = (
  history: History,
  call: (index: number) => Effect.Effect<unknown, unknown>
): Effect.Effect<void> =>
  recorded(history, (_, index) => {
    refusals.add(index)
    return call(index)
  }, () => false)

/** A call of a task that takes a value and may be stopped. */
const stopping = (
  call: (pool: Blocking.Pool, index: number, seed: number, value: object) => Effect.Effect<unknown, unknown>
): Action =>
(pool, history) => {
  const seed = nextSeed()
  figures.stops++
  return recorded(history, (_, index) => passing(seed, "any", (value) => call(pool, index, seed, value)))
}

const limited = Task.with(tasks.endless, { timeLimit: "10 millis", gracePeriod: "5 millis" })
const stopped = Task.with(tasks.endless, { gracePeriod: "5 millis" })
const abandoned = Task.with(tasks.echo, { onInterrupt: "abandon" })
const waited = Task.with(tasks.echo, { onInterrupt: "wait" })
const impatient = Task.with(tasks.echo, { queueTimeLimit: "2 millis" })

/** The weights add up to about a thousand. */
const mix: Mix<Action> = [
  [150, (pool, history) => echo(pool, history, "small")],
  [150, (pool, history) => echo(pool, history, "any")],
  [6, (pool, history) => echo(pool, history, "huge")],
  [100, (pool, history) => identity(pool, history, "any")],
  [4, (pool, history) => identity(pool, history, "huge")],
  [100, (pool, history) => make(pool, history, "any")],
  [6, (pool, history) => make(pool, history, "huge")],
  [30, (pool, history) => burst(50, (size) => echo(pool, history, size))],
  [30, (pool, history) => burst(50, (size) => make(pool, history, size))],
  [4, (pool, history) => burst(400, (size) => identity(pool, history, size))],
  // Reuses cells, chunks and rings many times.
  [12, (pool, history) => burst(1000, (size) => echo(pool, history, size), () => random(300) === 0 ? "any" : "tiny")],
  [
    30,
    (pool, history) => {
      const seed = nextSeed() + random(2)
      return recorded(
        history,
        (_, index) =>
          passing(seed, "small", (value) =>
            Effect.catch(pool.run(tasks.fails, index, seed, value), (error) =>
              // A domain error crosses in a way of its own, and some of its values change.
              "seed" in error && error.seed === seed
                ? Effect.succeed(structuredClone(valueOf(seed, "small")) as object)
                : Effect.fail(error))),
        isGiven(seed, "small")
      )
    }
  ],
  [30, (pool, history) => {
    const n = random(256)
    return recorded(
      history,
      (_, index) =>
        Effect.suspend(() =>
          pool.run(tasks.moves, index, { moved: Task.move(new Uint8Array(10 + random(20_000)).fill(n)), n })
        ),
      (value) => value.n === n && value.moved.every((byte) => byte === n)
    )
  }],
  [
    40,
    stopping((pool, index, seed, value) => cut(pool.run(tasks.echo, index, seed, "any", value), random(3)))
  ],
  [40, stopping((pool, index, seed, value) => cut(pool.run(abandoned, index, seed, "any", value), random(3)))],
  [40, stopping((pool, index, seed, value) => cut(pool.run(waited, index, seed, "any", value), random(3)))],
  [30, stopping((pool, index, seed, value) => cut(pool.run(tasks.polite, index, seed, value), random(8)))],
  [6, stopping((pool, index, seed, value) => cut(pool.run(stopped, index, seed, value), random(8)))],
  [6, stopping((pool, index, seed, value) => pool.run(limited, index, seed, value))],
  [30, stopping((pool, index, seed, value) => pool.run(impatient, index, seed, "any", value))],
  [
    30,
    stopping((pool, index, seed, value) =>
      Effect.flatMap(
        pool.spawnDetached(tasks.echo, index, seed, "any", value),
        (handle) => Effect.sleep(random(3)).pipe(Effect.andThen(handle.abort), Effect.andThen(handle.join))
      )
    )
  ],
  [6, (pool, history) => {
    const seed = nextSeed()
    figures.deaths++
    return recorded(
      history,
      (_, index) => passing(seed, "any", (value) => pool.run(tasks.exits, index, seed, value))
    )
  }],
  [20, (pool, history) => refused(history, (index) => pool.run(tasks.uncloneable, index, nextSeed()))],
  [
    20,
    (pool, history) =>
      refused(history, (index) => {
        const value = { value: valueOf(nextSeed(), "any"), callback: () => index }
        return pool.run(tasks.identity as Task.Task<Array<unknown>, object>, index, 0, "any", value)
      })
  ],
  [
    10,
    (pool, history) =>
      Effect.ignore(
        pool.lease((lease) =>
          Effect.forEach(Arr.range(1, 4), () => {
            const seed = nextSeed()
            return recorded(
              history,
              (_, index) => passing(seed, "any", (value) => lease.run(tasks.echo, index, seed, "any", value)),
              isGiven(seed + 1, "any")
            )
          }, { discard: true, concurrency: 2 })
        )
      )
  ]
]

/** Outcomes that only occur if values do not arrive unchanged. */
const faulty = new Set(["NotCloneable", "Panicked", "LoadFailed"])

const caller = Effect.fnUntraced(
  function*(pools: ReadonlyArray<Blocking.Pool>, history: History, isOver: () => boolean) {
    while (!isOver() && history.submitted < capacity - 10_000) {
      const before = history.outcomes.length
      yield* choose(mix, random)(pools[random(pools.length)]!, history)
      // A refusal returns at once: sleep, so that other fibers run.
      if (history.outcomes[before]?.outcome === "ShutDown") yield* Effect.sleep(1)
      // The load changes.
      if (random(50) === 0) yield* Effect.sleep(random(200))
    }
  }
)

const poolOptions = (n: number, threadData: tasks.ThreadData): ReadonlyArray<NodeBlocking.Options> => {
  const common = { threadData, gracePeriod: "10 millis", terminateTimeout: "2 seconds" } as const
  return [
    { ...common, maxThreads: 2, shutdownTimeout: n % 2 === 0 ? 0 : "100 millis" },
    { ...common, maxThreads: 1, keepAlive: "20 millis", queueCapacity: 50, shutdownTimeout: "100 millis" },
    {
      ...common,
      maxThreads: 2,
      minThreads: 1,
      shutdownTimeout: "100 millis",
      recycle: { tasks: 300 },
      // A large young generation can exceed the limit by so much at once that V8 ends the process.
      resourceLimits: { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 4 }
    }
  ]
}

const generation = Effect.fnUntraced(function*(n: number) {
  const history = makeHistory()
  memories.clear()
  refusals.clear()
  const threadData: tasks.ThreadData = { runs: history.runs, wrong: new Int32Array(new SharedArrayBuffer(4)) }
  const scope = yield* Scope.make()
  const pools = yield* Effect.forEach(
    poolOptions(n, threadData),
    (options, i) => Scope.provide(NodeBlocking.make(`payloads-${i}`, options), scope)
  )
  let over = false
  const fibers = yield* Effect.forkChild(Effect.all([
    Effect.forEach(Arr.range(1, 4 + random(40)), () => caller(pools, history, () => over), {
      concurrency: "unbounded"
    }),
    recorded(history, (_, index) => pools[2]!.run(tasks.hungry, index))
  ], { concurrency: "unbounded" }))
  yield* Effect.sleep(generationMillis)
  // Some generations close their pools while tasks run, the others when they are idle.
  over = n % 2 === 0
  if (over) {
    yield* Fiber.join(fibers)
    yield* Effect.forEach(pools, (pool) => pool.awaitIdle)
    // Waits until stopped and abandoned tasks have left their threads.
    for (let i = 0; i < 500 && liveCount() > 0; i++) yield* Effect.sleep(10)
    if (liveCount() > 0) history.faults.push(`${liveCount()} arguments are kept by idle pools`)
  }
  yield* Scope.close(scope, Exit.void)
  over = true
  yield* Fiber.join(fibers)

  checkHistory(history)
  history.faults.push(...differing.splice(0))
  for (const { index, outcome } of history.outcomes) {
    if (faulty.has(outcome) && !(outcome === "NotCloneable" && refusals.has(index))) {
      history.faults.push(`submission ${index} ended with ${outcome}`)
    }
  }
  if (threadData.wrong[0] !== 0) history.faults.push(`${threadData.wrong[0]} bodies got wrong arguments`)
  if (liveCount() > 0) history.faults.push(`${liveCount()} arguments are kept by closed pools`)
  return history
})

const liveCount = (): number => Array.from(memories).reduce((sum, { live }) => sum + live, 0)

run(
  "Soak of payloads",
  generation,
  () =>
    `${figures.written} arguments in shared memory, ${figures.posted} posted; ${figures.fromRings} results in rings; ` +
    `${figures.compared} results compared; ${figures.stops} stops, ${figures.deaths} exits of a thread`
)
