/**
 * The soak: a random mix of tasks, faults, stops and shutdowns on pools of real threads and processes, for minutes.
 * Then it checks the history: each submission has one outcome, no task ran twice, no task ran that was cancelled in
 * the queue, nothing is left, and memory is flat.
 *
 *   npm run soak                    two minutes
 *   npm run soak -- --minutes 10
 *   npm run soak -- --seed 7        the same choices; the scheduling of threads still differs
 *   npm run soak -- --brief         a summary at the end, unless there are faults
 *
 * The time is divided into generations. Each has pools of its own, which are closed while tasks run. Exits with 1 if a
 * check fails, and is killed if it hangs. `.ci/run` runs it for 20 seconds with a fixed seed. `payloads.ts` does the
 * same for values in shared memory, and `flows.ts` for streams and callbacks.
 */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { Array as Arr, Effect, Exit, Fiber, Scope } from "effect"
import { type Blocking, Task } from "effect-blocking"
import { execFileSync } from "node:child_process"
import { closeSync, constants, mkdtempSync, openSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
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
/** The number of concurrent callers. */
const callers = 48

/** `recorded` for a pool of processes. */
const recordedInProcess = <A, E, R>(
  history: History,
  call: (runs: tasks.Runs, index: number) => Effect.Effect<A, E, R>,
  isRight?: (value: A) => boolean
): Effect.Effect<void, never, R> => recorded(history, call, isRight, history.file)

const limited = Task.with(tasks.endless, { timeLimit: "20 millis", gracePeriod: "5 millis" })
const stopped = Task.with(tasks.endless, { gracePeriod: "5 millis" })
const abandoned = Task.with(tasks.busy, { onInterrupt: "abandon" })
const waited = Task.with(tasks.busy, { onInterrupt: "wait" })
const impatient = Task.with(tasks.number, { queueTimeLimit: "3 millis" })
const mandatory = Task.with(tasks.busy, { mandatory: true })
const broken = Task.make("file:///nowhere/at-all.ts", "broken", (_runs: tasks.Runs, index: number) => index)

type Action = (pool: Blocking.Pool, history: History, random: (below: number) => number) => Effect.Effect<void>

const plain = (pool: Blocking.Pool, history: History): Effect.Effect<void> =>
  recorded(history, (runs, index) => pool.run(tasks.number, runs, index, index), (value) => value > 0)

/** The actions of callers. The weights add up to about a thousand. */
const mix: Mix<Action> = [
  [300, plain],
  [
    100,
    (pool, history) =>
      Effect.forEach(Arr.range(1, 50), () => plain(pool, history), { concurrency: "unbounded", discard: true })
  ],
  [
    100,
    (pool, history) =>
      recorded(
        history,
        (runs, index) => pool.run(tasks.text, runs, index, `text ${index}`),
        (value) => value.startsWith("TEXT")
      )
  ],
  [60, (pool, history) =>
    recorded(
      history,
      (runs, index) => Effect.suspend(() => pool.run(tasks.moved, runs, index, Task.move(new Uint8Array(65_536)))),
      (value) => value.byteLength === 65_536
    )],
  [100, (pool, history, random) => recorded(history, (runs, index) => pool.run(tasks.busy, runs, index, random(4)))],
  [
    60,
    (pool, history) =>
      recorded(history, (runs, index) => pool.run(tasks.fails, runs, index), (value) => value % 2 === 0)
  ],
  [60, (pool, history) => recorded(history, (runs, index) => pool.run(tasks.query, runs, index), (value) => value > 0)],
  [30, (pool, history) => recorded(history, (runs, index) => pool.run(tasks.panics, runs, index))],
  [4, (pool, history) => recorded(history, (runs, index) => pool.run(tasks.exits, runs, index))],
  [20, (pool, history) => recorded(history, (runs, index) => pool.run(tasks.uncloneable, runs, index))],
  [
    20,
    (pool, history) =>
      recorded(history, (runs, index) => pool.run(tasks.number, runs, index, (() => index) as unknown as number))
  ],
  [4, (pool, history) => recorded(history, (runs, index) => pool.run(tasks.late, runs, index))],
  [4, (pool, history) => recorded(history, (runs, index) => pool.run(broken, runs, index))],
  [6, (pool, history) => recorded(history, (runs, index) => pool.run(limited, runs, index))],
  [
    20,
    (pool, history, random) => recorded(history, (runs, index) => cut(pool.run(tasks.polite, runs, index), random(10)))
  ],
  [6, (pool, history, random) => recorded(history, (runs, index) => cut(pool.run(stopped, runs, index), random(10)))],
  [
    20,
    (pool, history, random) => recorded(history, (runs, index) => cut(pool.run(abandoned, runs, index, 5), random(6)))
  ],
  [20, (pool, history, random) => recorded(history, (runs, index) => cut(pool.run(waited, runs, index, 5), random(6)))],
  [30, (pool, history) => recorded(history, (runs, index) => pool.run(impatient, runs, index, index))],
  [10, (pool, history) => recorded(history, (runs, index) => pool.run(mandatory, runs, index, 1))],
  [
    30,
    (pool, history, random) =>
      recorded(
        history,
        (runs, index) =>
          Effect.flatMap(pool.spawnDetached(tasks.busy, runs, index, 3), (handle) =>
            Effect.sleep(random(5)).pipe(Effect.andThen(handle.abort), Effect.andThen(handle.join)))
      )
  ],
  [
    10,
    (pool, history) =>
      Effect.ignore(
        pool.lease((lease) =>
          Effect.forEach(
            Arr.range(1, 4),
            () => recorded(history, (runs, index) => lease.run(tasks.query, runs, index)),
            {
              discard: true
            }
          )
        )
      )
  ],
  [4, (pool) => Effect.ignore(pool.prewarm(2))]
]

/** The actions on processes, which share no memory and can also crash. */
const processMix: Mix<Action> = [
  [
    600,
    (pool, history) =>
      recordedInProcess(history, (runs, index) => pool.run(tasks.number, runs, index, index), (value) => value > 0)
  ],
  [100, (pool, history) => recordedInProcess(history, (runs, index) => pool.run(tasks.fails, runs, index))],
  [100, (pool, history) => recordedInProcess(history, (runs, index) => pool.run(tasks.panics, runs, index))],
  [4, (pool, history) => recordedInProcess(history, (runs, index) => pool.run(tasks.exits, runs, index))],
  [4, (pool, history) => recordedInProcess(history, (runs, index) => pool.run(tasks.crashes, runs, index))],
  [6, (pool, history) => recordedInProcess(history, (runs, index) => pool.run(limited, runs, index))],
  [
    60,
    (pool, history, random) =>
      recordedInProcess(history, (runs, index) => cut(pool.run(tasks.polite, runs, index), random(10)))
  ],
  [
    60,
    (pool, history, random) =>
      recordedInProcess(
        history,
        (runs, index) =>
          Effect.flatMap(pool.spawnDetached(tasks.busy, runs, index, 3), (handle) =>
            Effect.sleep(random(5)).pipe(Effect.andThen(handle.abort), Effect.andThen(handle.join)))
      )
  ]
]

/** Runs one caller until the generation is over. */
const caller = Effect.fnUntraced(function*(
  pools: ReadonlyArray<Blocking.Pool>,
  actions: Mix<Action>,
  history: History,
  isOver: () => boolean
) {
  while (!isOver() && history.submitted < capacity - 1000) {
    const before = history.outcomes.length
    yield* choose(actions, random)(pools[random(pools.length)]!, history, random)
    // A refusal returns at once: sleep, so that other fibers run.
    if (history.outcomes[before]?.outcome === "ShutDown") yield* Effect.sleep(1)
  }
})

/** Leaves a thread stuck in native code until its named pipe is released. */
const getStuck = Effect.fnUntraced(function*(pool: Blocking.Pool, history: History, directory: string) {
  const path = join(directory, "fifo")
  execFileSync("mkfifo", [path])
  yield* recorded(
    history,
    (runs, index) =>
      Effect.flatMap(
        pool.spawnDetached(tasks.native, runs, index, path),
        (handle) => Effect.sleep("50 millis").pipe(Effect.andThen(handle.abort), Effect.andThen(handle.join))
      )
  )
  // Opens both ends: a reader, also a later one, sees that the writer is gone.
  closeSync(openSync(path, constants.O_RDWR))
})

/** The last pool runs on processes. */
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
    // A large young generation can exceed the limit by so much at once that V8 ends the process.
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
  const history = makeHistory(join(directory, "runs"))
  const scope = yield* Scope.make()
  const pools = yield* Effect.forEach(
    poolOptions(n),
    (options, i) => Scope.provide(NodeBlocking.make(`soak-${i}`, options), scope)
  )
  const [threads, processes] = [pools.slice(0, -1), pools.slice(-1)]
  let over = false
  const crowd = (count: number, pools: ReadonlyArray<Blocking.Pool>, actions: Mix<Action>) =>
    Effect.forEach(Arr.range(1, count), () => caller(pools, actions, history, () => over), { concurrency: "unbounded" })
  const fibers = yield* Effect.forkChild(Effect.all([
    crowd(callers, threads, mix),
    crowd(4, processes, processMix),
    // Windows has no FIFO.
    process.platform === "win32" ? Effect.void : getStuck(pools[0]!, history, directory),
    recorded(history, (runs, index) => pools[2]!.run(tasks.hungry, runs, index))
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

run("Soak", generation)
