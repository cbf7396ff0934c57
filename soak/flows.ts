/**
 * The soak of streams and calls: bodies that yield, iterate their input and call their program, on
 * threads and processes that are stopped, die and are shut down meanwhile, beside small tasks. Then the books: each
 * submission has one outcome and ran at most once, elements came in their order, none was lost
 * or doubled, calls got their own answers, nothing is left open, memory is flat.
 *
 *   npm run soak:flows              two minutes; options as those of `npm run soak`
 *
 * Exits with 1 if a book does not balance, and is killed if it hangs. `.ci/run` runs some
 * seconds with a fixed seed.
 */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { Array as Arr, Effect, Exit, Fiber, Scope, Stream } from "effect"
import { type Blocking, Task } from "effect-blocking"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { audit, auditPools, type Books, capacity, choose, cut, makeBooks, type Mix, recorded } from "./books.ts"
import * as flows from "./flowTasks.ts"
import { random, run } from "./generations.ts"
import * as tasks from "./tasks.ts"

const generationMillis = 4000
/** Callers that are busy at the same time, on threads and on processes. */
const callers = [24, 6] as const

const figures = { elements: 0, answers: 0, notified: 0 }

/** Where bodies note that they run: processes share no memory. */
interface Place {
  readonly pool: Blocking.Pool
  readonly books: Books
  readonly runs: tasks.Runs
}

type Action = (place: Place) => Effect.Effect<void>

const entered = <A, E>(
  { books, runs }: Place,
  call: (runs: tasks.Runs, index: number) => Effect.Effect<A, E>,
  isRight?: (value: A) => boolean
): Effect.Effect<void> => recorded(books, call, isRight, runs)

/** Fails the books if an element is not the next one. */
const inOrder = (books: Books, factor = 1) => {
  let next = 0
  return <E, R>(stream: Stream.Stream<{ readonly n: number }, E, R>): Stream.Stream<{ readonly n: number }, E, R> =>
    Stream.tap(stream, ({ n }) =>
      Effect.sync(() => {
        if (n !== factor * next) books.faults.push(`element ${n} came in the place of ${factor * next}`)
        next++
        figures.elements++
      }))
}

const sumBelow = (count: number): number => count * (count - 1) / 2

/** Answers `n + 1` at once, after a while, in another turn, or by a task on the same pool. */
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
    (runs, index) => Stream.runCount(inOrder(place.books)(place.pool.stream(flows.numbers, runs, index, count))),
    (seen) => seen === count
  )
}

/** Wants no more after some elements. */
const part: Action = (place) => {
  const count = 1 + random(20)
  return entered(
    place,
    (runs, index) =>
      place.pool.stream(flows.numbers, runs, index, 10_000).pipe(
        inOrder(place.books),
        Stream.take(count),
        Stream.runCount
      ),
    (seen) => seen === count
  )
}

/** Takes its time, and is interrupted. */
const slow: Action = (place) =>
  entered(place, (runs, index) =>
    cut(
      place.pool.stream(flows.numbers, runs, index, 100_000).pipe(
        inOrder(place.books),
        Stream.runForEach(({ n }) => n % 10 === 0 ? Effect.sleep(1) : Effect.void)
      ),
      random(30)
    ))

const idle = Task.with(flows.numbers, { idleTimeLimit: "5 millis" })

/** Is not pulled for longer than its limit. */
const abandonedStream: Action = (place) =>
  entered(place, (runs, index) =>
    place.pool.stream(idle, runs, index, 5000).pipe(
      inOrder(place.books),
      Stream.runForEach(({ n }) => n === 100 ? Effect.sleep(20) : Effect.void)
    ))

const throughPipe: Action = (place) => {
  const { books, pool } = place
  const count = random(500)
  return entered(
    place,
    (runs, index) =>
      fromElsewhere(pool.stream(flows.numbers, scratch(runs), 0, count)).pipe(
        pool.pipe(flows.doubled, runs, index),
        inOrder(books, 2),
        Stream.runCount
      ),
    (seen) => seen === count
  )
}

/** What another body than the recorded one came to is no outcome of that. */
const fromElsewhere = <A, E>(stream: Stream.Stream<A, E>): Stream.Stream<A> =>
  Stream.catchCause(stream, () => Stream.fromEffect(Effect.interrupt))

/** For bodies that are part of another submission: what they note counts nowhere. */
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
    (runs, index) => Stream.runDrain(inOrder(place.books)(place.pool.stream(flows.dying, runs, index, random(2000))))
  )

/** Weights are about a thousand in all. */
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
  while (!isOver() && place.books.submitted < capacity - 1000) {
    const before = place.books.told.length
    yield* choose(mix, random)(place)
    if (place.books.told[before]?.outcome === "ShutDown") yield* Effect.sleep(1)
  }
})

const common = { gracePeriod: "10 millis", shutdownTimeout: "100 millis", terminateTimeout: "200 millis" } as const

/** … together. */
const boundMillis = 310

const poolOptions: ReadonlyArray<NodeBlocking.Options> = [
  { ...common, maxThreads: 2 },
  { ...common, maxThreads: 1, keepAlive: "200 millis", recycle: { tasks: 500 } },
  { ...common, maxThreads: 2, isolation: "process" }
]

const generation = Effect.fnUntraced(function*() {
  const directory = mkdtempSync(join(tmpdir(), "effect-blocking-soak-"))
  const books = makeBooks(join(directory, "runs"))
  const scope = yield* Scope.make()
  const pools = yield* Effect.forEach(
    poolOptions,
    (options, i) => Scope.provide(NodeBlocking.make(`flows-${i}`, options), scope)
  )
  let over = false
  const crowd = (count: number, pool: Blocking.Pool, runs: tasks.Runs) =>
    Effect.forEach(Arr.range(1, count), () => caller({ pool, books, runs }, () => over), { concurrency: "unbounded" })
  const [two, one, processes] = pools as [Blocking.Pool, Blocking.Pool, Blocking.Pool]
  const fibers = yield* Effect.forkChild(Effect.all([
    crowd(callers[0], two, books.runs),
    crowd(callers[1], one, books.runs),
    crowd(callers[1], processes, books.file)
  ], { concurrency: "unbounded" }))
  yield* Effect.sleep(generationMillis)
  const begin = performance.now()
  yield* Scope.close(scope, Exit.void)
  const closeMillis = performance.now() - begin
  over = true
  yield* Fiber.join(fibers)

  audit(books)
  rmSync(directory, { recursive: true })
  yield* auditPools(books, pools, closeMillis, boundMillis)
  return books
})

run(
  "soak of flows",
  generation,
  () => `${figures.elements} elements in order, ${figures.answers} calls answered, ${figures.notified} notifications`
)
