/**
 * The soak of streams and callbacks. Bodies yield, iterate their input and call their program, on threads and
 * processes that are stopped, die and are shut down meanwhile, beside small tasks. Then it checks the history: each
 * submission has one outcome and ran at most once, elements came in order, none was lost or doubled, calls got their
 * own answers, nothing is left open, and memory is flat.
 *
 *   npm run soak:flows              two minutes; same options as `npm run soak`
 *
 * Exits with 1 if a check fails, and is killed if it hangs. `.ci/run` runs it for some seconds with a fixed seed.
 */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { Array as Arr, Effect, Exit, Fiber, Scope, Stream } from "effect"
import { type Blocking, Task } from "effect-blocking"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as flows from "./flowTasks.ts"
import { random, run } from "./generations.ts"
import {
  capacity,
  checkHistory,
  checkPools,
  choose,
  cut,
  type History,
  makeHistory,
  type Mix,
  recorded
} from "./history.ts"
import * as tasks from "./tasks.ts"

const generationMillis = 4000
/** The number of concurrent callers, on threads and on processes. */
const callers = [24, 6] as const

const figures = { elements: 0, answers: 0, notified: 0 }

/** A pool, and where its bodies note their starts: processes share no memory. */
interface Place {
  readonly pool: Blocking.Pool
  readonly history: History
  readonly runs: tasks.Runs
}

type Action = (place: Place) => Effect.Effect<void>

const entered = <A, E>(
  { history, runs }: Place,
  call: (runs: tasks.Runs, index: number) => Effect.Effect<A, E>,
  isRight?: (value: A) => boolean
): Effect.Effect<void> => recorded(history, call, isRight, runs)

/** Adds a fault if an element is not the next one. */
const inOrder = (history: History, factor = 1) => {
  let next = 0
  return <E, R>(stream: Stream.Stream<{ readonly n: number }, E, R>): Stream.Stream<{ readonly n: number }, E, R> =>
    Stream.tap(stream, ({ n }) =>
      Effect.sync(() => {
        if (n !== factor * next) history.faults.push(`element ${n} came instead of ${factor * next}`)
        next++
        figures.elements++
      }))
}

const sumBelow = (count: number): number => count * (count - 1) / 2

/** Answers `n + 1` at once, after a delay, after a yield, or by a task on the same pool. */
const answer = (place: Place) => (n: number): Effect.Effect<number> => {
  figures.answers++
  switch (random(8)) {
    case 0:
      return Effect.as(Effect.sleep(random(3)), n + 1)
    case 1:
      return Effect.as(Effect.yieldNow, n + 1)
    case 2:
      return Effect.as(number(place), n + 1)
    default:
      return Effect.succeed(n + 1)
  }
}

const provided = (place: Place) => <A, E>(effect: Effect.Effect<A, E, flows.Ask | flows.Told>): Effect.Effect<A, E> =>
  effect.pipe(
    Effect.provideService(flows.Ask, answer(place)),
    Effect.provideService(flows.Told, () => Effect.sync(() => void figures.notified++))
  )

const number: Action = (place) =>
  entered(place, (runs, index) => place.pool.run(tasks.number, runs, index, index), (value) => value > 0)

const whole: Action = (place) => {
  const count = random(3000)
  return entered(
    place,
    (runs, index) => Stream.runCount(inOrder(place.history)(place.pool.stream(flows.numbers, runs, index, count))),
    (seen) => seen === count
  )
}

/** Takes some elements, and then ends the stream. */
const part: Action = (place) => {
  const count = 1 + random(20)
  return entered(
    place,
    (runs, index) =>
      place.pool.stream(flows.numbers, runs, index, 10_000).pipe(
        inOrder(place.history),
        Stream.take(count),
        Stream.runCount
      ),
    (seen) => seen === count
  )
}

/** Reads slowly, and is interrupted. */
const slow: Action = (place) =>
  entered(place, (runs, index) =>
    cut(
      place.pool.stream(flows.numbers, runs, index, 100_000).pipe(
        inOrder(place.history),
        Stream.runForEach(({ n }) => n % 10 === 0 ? Effect.sleep(1) : Effect.void)
      ),
      random(30)
    ))

const idle = Task.with(flows.numbers, { idleTimeLimit: "5 millis" })

/** Does not pull for longer than the stream's limit. */
const abandonedStream: Action = (place) =>
  entered(place, (runs, index) =>
    place.pool.stream(idle, runs, index, 5000).pipe(
      inOrder(place.history),
      Stream.runForEach(({ n }) => n === 100 ? Effect.sleep(20) : Effect.void)
    ))

const throughPipe: Action = (place) => {
  const { history, pool } = place
  const count = random(500)
  return entered(
    place,
    (runs, index) =>
      fromElsewhere(pool.stream(flows.numbers, scratch(runs), 0, count)).pipe(
        pool.pipe(flows.doubled, runs, index),
        inOrder(history, 2),
        Stream.runCount
      ),
    (seen) => seen === count
  )
}

/** Keeps the failure of another body out of the outcome of the recorded one. */
const fromElsewhere = <A, E>(stream: Stream.Stream<A, E>): Stream.Stream<A> =>
  Stream.catchCause(stream, () => Stream.fromEffect(Effect.interrupt))

/** For bodies that are part of another submission: their starts do not count. */
const scratchCells = new Int32Array(new SharedArrayBuffer(4))
const scratch = (runs: tasks.Runs): tasks.Runs => typeof runs === "string" ? "/dev/null" : scratchCells

const summed: Action = (place) => {
  const { pool } = place
  const count = random(2000)
  return entered(
    place,
    (runs, index) =>
      Stream.run(
        fromElsewhere(pool.stream(flows.numbers, scratch(runs), 0, count)),
        pool.sink(flows.sum, runs, index)
      ),
    (total) => total === sumBelow(count)
  )
}

const failingUpstream: Action = (place) =>
  entered(
    place,
    (runs, index) =>
      fromElsewhere(place.pool.stream(flows.failing, scratch(runs), 0, random(100))).pipe(
        Stream.run(place.pool.sink(flows.sum, runs, index))
      ),
    () => false
  )

const asked: Action = (place) => {
  const count = random(20)
  return entered(
    place,
    (runs, index) => provided(place)(place.pool.run(flows.asks, runs, index, count)),
    (total) => total === sumBelow(count) + count
  )
}

const askedAndCut: Action = (place) =>
  entered(place, (runs, index) => cut(provided(place)(place.pool.run(flows.asks, runs, index, 1000)), random(10)))

const yielded: Action = (place) => {
  const count = random(20)
  return entered(
    place,
    (runs, index) =>
      provided(place)(
        place.pool.stream(flows.yields, runs, index, count).pipe(Stream.runFold(() => 0, (sum, { n }) => sum + n))
      ),
    (total) => total === sumBelow(count) + count
  )
}

const dying: Action = (place) =>
  entered(
    place,
    (runs, index) => Stream.runDrain(inOrder(place.history)(place.pool.stream(flows.dying, runs, index, random(2000))))
  )

/** The weights add up to about a thousand. */
const mix: Mix<Action> = [
  [300, number],
  [150, whole],
  [150, part],
  [60, slow],
  [20, abandonedStream],
  [60, throughPipe],
  [60, summed],
  [20, failingUpstream],
  [80, asked],
  [30, askedAndCut],
  [80, yielded],
  [4, dying]
]

const caller = Effect.fnUntraced(function*(place: Place, isOver: () => boolean) {
  while (!isOver() && place.history.submitted < capacity - 1000) {
    const before = place.history.outcomes.length
    yield* choose(mix, random)(place)
    if (place.history.outcomes[before]?.outcome === "ShutDown") yield* Effect.sleep(1)
  }
})

const common = { gracePeriod: "10 millis", shutdownTimeout: "100 millis", terminateTimeout: "200 millis" } as const

/** The sum of the three. */
const boundMillis = 310

const poolOptions: ReadonlyArray<NodeBlocking.Options> = [
  { ...common, maxThreads: 2 },
  { ...common, maxThreads: 1, keepAlive: "200 millis", recycle: { tasks: 500 } },
  { ...common, maxThreads: 2, isolation: "process" }
]

const generation = Effect.fnUntraced(function*() {
  const directory = mkdtempSync(join(tmpdir(), "effect-blocking-soak-"))
  const history = makeHistory(join(directory, "runs"))
  const scope = yield* Scope.make()
  const pools = yield* Effect.forEach(
    poolOptions,
    (options, i) => Scope.provide(NodeBlocking.make(`flows-${i}`, options), scope)
  )
  let over = false
  const crowd = (count: number, pool: Blocking.Pool, runs: tasks.Runs) =>
    Effect.forEach(Arr.range(1, count), () => caller({ pool, history, runs }, () => over), { concurrency: "unbounded" })
  const [two, one, processes] = pools as [Blocking.Pool, Blocking.Pool, Blocking.Pool]
  const fibers = yield* Effect.forkChild(Effect.all([
    crowd(callers[0], two, history.runs),
    crowd(callers[1], one, history.runs),
    crowd(callers[1], processes, history.file)
  ], { concurrency: "unbounded" }))
  yield* Effect.sleep(generationMillis)
  const begin = performance.now()
  yield* Scope.close(scope, Exit.void)
  const closeMillis = performance.now() - begin
  over = true
  yield* Fiber.join(fibers)

  checkHistory(history)
  rmSync(directory, { recursive: true })
  yield* checkPools(history, pools, closeMillis, boundMillis)
  return history
})

run(
  "Soak of streams and callbacks",
  generation,
  () => `${figures.elements} elements in order, ${figures.answers} calls answered, ${figures.notified} notifications`
)
