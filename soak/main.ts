/**
 * The soak: a random mix of tasks, faults, stops and shutdowns against pools of real
 * threads and processes, for minutes, and then the books: each submission has one outcome, none ran
 * twice, none ran that was cancelled in the queue, nothing is left, memory is flat.
 *
 *   npm run soak                    two minutes
 *   npm run soak -- --minutes 10
 *   npm run soak -- --seed 7        the same choices; what the threads do with them is theirs
 *   npm run soak -- --brief         one line at the end, unless something is wrong
 *
 * The time is divided into generations, each with pools of its own, which are closed while
 * tasks are under way. Exits with 1 if a book does not balance, and is killed if it hangs. `.ci/run` runs 20 seconds
 * with a fixed seed. `payloads.ts` and `flows.ts`, beside this file, do the same for values in shared memory, and for streams and calls.
 */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { Array as Arr, Effect, Exit, Fiber, Scope } from "effect"
import { type Blocking, Task } from "effect-blocking"
import { execFileSync } from "node:child_process"
import { closeSync, constants, mkdtempSync, openSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { audit, auditPools, type Books, capacity, choose, cut, makeBooks, type Mix, recorded } from "./books.ts"
import { random, run } from "./generations.ts"
import * as tasks from "./tasks.ts"

const generationMillis = 4000
/** Callers that are busy at the same time. */
const callers = 48

/** The same for a pool of processes. */
const recordedInProcess = <A, E, R>(
  books: Books,
  call: (runs: tasks.Runs, index: number) => Effect.Effect<A, E, R>,
  isRight?: (value: A) => boolean
): Effect.Effect<void, never, R> => recorded(books, call, isRight, books.file)

const limited = Task.with(tasks.endless, { timeLimit: "20 millis", gracePeriod: "5 millis" })
const stopped = Task.with(tasks.endless, { gracePeriod: "5 millis" })
const abandoned = Task.with(tasks.busy, { onInterrupt: "abandon" })
const waited = Task.with(tasks.busy, { onInterrupt: "wait" })
const impatient = Task.with(tasks.number, { queueTimeLimit: "3 millis" })
const mandatory = Task.with(tasks.busy, { mandatory: true })
const broken = Task.make("file:///nowhere/at-all.ts", "broken", (_runs: tasks.Runs, index: number) => index)

type Action = (pool: Blocking.Pool, books: Books, random: (below: number) => number) => Effect.Effect<void>

const plain = (pool: Blocking.Pool, books: Books): Effect.Effect<void> =>
  recorded(books, (runs, index) => pool.run(tasks.number, runs, index, index), (value) => value > 0)

/** What callers do; the weights are about a thousand in all. */
const mix: Mix<Action> = [
  [300, plain],
  [
    100,
    (pool, books) =>
      Effect.forEach(Arr.range(1, 50), () => plain(pool, books), { concurrency: "unbounded", discard: true })
  ],
  [
    100,
    (pool, books) =>
      recorded(
        books,
        (runs, index) => pool.run(tasks.text, runs, index, `text ${index}`),
        (value) => value.startsWith("TEXT")
      )
  ],
  [60, (pool, books) =>
    recorded(
      books,
      (runs, index) => Effect.suspend(() => pool.run(tasks.moved, runs, index, Task.move(new Uint8Array(65_536)))),
      (value) => value.byteLength === 65_536
    )],
  [100, (pool, books, random) => recorded(books, (runs, index) => pool.run(tasks.busy, runs, index, random(4)))],
  [
    60,
    (pool, books) => recorded(books, (runs, index) => pool.run(tasks.fails, runs, index), (value) => value % 2 === 0)
  ],
  [60, (pool, books) => recorded(books, (runs, index) => pool.run(tasks.query, runs, index), (value) => value > 0)],
  [30, (pool, books) => recorded(books, (runs, index) => pool.run(tasks.panics, runs, index))],
  [4, (pool, books) => recorded(books, (runs, index) => pool.run(tasks.exits, runs, index))],
  [20, (pool, books) => recorded(books, (runs, index) => pool.run(tasks.uncloneable, runs, index))],
  [
    20,
    (pool, books) =>
      recorded(books, (runs, index) => pool.run(tasks.number, runs, index, (() => index) as unknown as number))
  ],
  [4, (pool, books) => recorded(books, (runs, index) => pool.run(tasks.late, runs, index))],
  [4, (pool, books) => recorded(books, (runs, index) => pool.run(broken, runs, index))],
  [6, (pool, books) => recorded(books, (runs, index) => pool.run(limited, runs, index))],
  [20, (pool, books, random) => recorded(books, (runs, index) => cut(pool.run(tasks.polite, runs, index), random(10)))],
  [6, (pool, books, random) => recorded(books, (runs, index) => cut(pool.run(stopped, runs, index), random(10)))],
  [20, (pool, books, random) => recorded(books, (runs, index) => cut(pool.run(abandoned, runs, index, 5), random(6)))],
  [20, (pool, books, random) => recorded(books, (runs, index) => cut(pool.run(waited, runs, index, 5), random(6)))],
  [30, (pool, books) => recorded(books, (runs, index) => pool.run(impatient, runs, index, index))],
  [10, (pool, books) => recorded(books, (runs, index) => pool.run(mandatory, runs, index, 1))],
  [
    30,
    (pool, books, random) =>
      recorded(
        books,
        (runs, index) =>
          Effect.flatMap(pool.spawnDetached(tasks.busy, runs, index, 3), (handle) =>
            Effect.sleep(random(5)).pipe(Effect.andThen(handle.abort), Effect.andThen(handle.join)))
      )
  ],
  [
    10,
    (pool, books) =>
      Effect.ignore(
        pool.lease((lease) =>
          Effect.forEach(Arr.range(1, 4), () => recorded(books, (runs, index) => lease.run(tasks.query, runs, index)), {
            discard: true
          })
        )
      )
  ],
  [4, (pool) => Effect.ignore(pool.prewarm(2))]
]

/** The same for processes, which share no memory, and can also crash. */
const processMix: Mix<Action> = [
  [
    600,
    (pool, books) =>
      recordedInProcess(books, (runs, index) => pool.run(tasks.number, runs, index, index), (value) => value > 0)
  ],
  [100, (pool, books) => recordedInProcess(books, (runs, index) => pool.run(tasks.fails, runs, index))],
  [100, (pool, books) => recordedInProcess(books, (runs, index) => pool.run(tasks.panics, runs, index))],
  [4, (pool, books) => recordedInProcess(books, (runs, index) => pool.run(tasks.exits, runs, index))],
  [4, (pool, books) => recordedInProcess(books, (runs, index) => pool.run(tasks.crashes, runs, index))],
  [6, (pool, books) => recordedInProcess(books, (runs, index) => pool.run(limited, runs, index))],
  [
    60,
    (pool, books, random) =>
      recordedInProcess(books, (runs, index) => cut(pool.run(tasks.polite, runs, index), random(10)))
  ],
  [
    60,
    (pool, books, random) =>
      recordedInProcess(
        books,
        (runs, index) =>
          Effect.flatMap(pool.spawnDetached(tasks.busy, runs, index, 3), (handle) =>
            Effect.sleep(random(5)).pipe(Effect.andThen(handle.abort), Effect.andThen(handle.join)))
      )
  ]
]

/** One caller, until the generation is over. */
const caller = Effect.fnUntraced(function*(
  pools: ReadonlyArray<Blocking.Pool>,
  actions: Mix<Action>,
  books: Books,
  isOver: () => boolean
) {
  while (!isOver() && books.submitted < capacity - 1000) {
    const before = books.told.length
    yield* choose(actions, random)(pools[random(pools.length)]!, books, random)
    // What is refused is refused at once: the others want to have their turn.
    if (books.told[before]?.outcome === "ShutDown") yield* Effect.sleep(1)
  }
})

/** A thread in native code is stuck until its named pipe is released, and then gone. */
const getStuck = Effect.fnUntraced(function*(pool: Blocking.Pool, books: Books, directory: string) {
  const path = join(directory, "fifo")
  execFileSync("mkfifo", [path])
  yield* recorded(
    books,
    (runs, index) =>
      Effect.flatMap(
        pool.spawnDetached(tasks.native, runs, index, path),
        (handle) => Effect.sleep("50 millis").pipe(Effect.andThen(handle.abort), Effect.andThen(handle.join))
      )
  )
  // Both ends: whoever reads, or begins to, finds that the writer has gone.
  closeSync(openSync(path, constants.O_RDWR))
})

/** The last is of processes. */
const poolOptions = (n: number): ReadonlyArray<NodeBlocking.Options> => [
  {
    maxThreads: 2,
    gracePeriod: "10 millis",
    shutdownTimeout: n % 2 === 0 ? 0 : "100 millis",
    terminateTimeout: "200 millis"
  },
  {
    maxThreads: 3,
    keepAlive: "20 millis",
    queueCapacity: 50,
    onFull: n % 2 === 0 ? "suspend" : "fail",
    gracePeriod: "10 millis",
    shutdownTimeout: "100 millis",
    terminateTimeout: "200 millis",
    recycle: { tasks: 500, age: "1 second" }
  },
  {
    maxThreads: 1,
    minThreads: 1,
    gracePeriod: "10 millis",
    shutdownTimeout: "100 millis",
    terminateTimeout: "200 millis",
    // A young generation that is large can pass the limit by so much at once that V8 ends the process.
    resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 }
  },
  {
    isolation: "process",
    maxThreads: 2,
    keepAlive: n % 2 === 0 ? "10 seconds" : "20 millis",
    gracePeriod: "10 millis",
    shutdownTimeout: "100 millis",
    terminateTimeout: "200 millis",
    recycle: { tasks: 100 }
  }
]

const boundMillis = 100 + 10 + 200

const generation = Effect.fnUntraced(function*(n: number) {
  const directory = mkdtempSync(join(tmpdir(), "effect-blocking-soak-"))
  const books = makeBooks(join(directory, "runs"))
  const scope = yield* Scope.make()
  const pools = yield* Effect.forEach(
    poolOptions(n),
    (options, i) => Scope.provide(NodeBlocking.make(`soak-${i}`, options), scope)
  )
  const [threads, processes] = [pools.slice(0, -1), pools.slice(-1)]
  let over = false
  const crowd = (count: number, pools: ReadonlyArray<Blocking.Pool>, actions: Mix<Action>) =>
    Effect.forEach(Arr.range(1, count), () => caller(pools, actions, books, () => over), { concurrency: "unbounded" })
  const fibers = yield* Effect.forkChild(Effect.all([
    crowd(callers, threads, mix),
    crowd(4, processes, processMix),
    // Windows has no named pipe of this kind.
    process.platform === "win32" ? Effect.void : getStuck(pools[0]!, books, directory),
    recorded(books, (runs, index) => pools[2]!.run(tasks.hungry, runs, index))
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

run("soak", generation)
