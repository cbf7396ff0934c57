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
 * with a fixed seed.
 */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { Array as Arr, Cause, Effect, Exit, Fiber, Logger, Option, Scope } from "effect"
import { type Blocking, JoinError, Task } from "effect-blocking"
import { execFileSync } from "node:child_process"
import { closeSync, constants, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import * as tasks from "./tasks.ts"

const { values: options } = parseArgs({
  options: {
    minutes: { type: "string", default: "2" },
    seed: { type: "string", default: `${Date.now() % 100_000}` },
    brief: { type: "boolean", default: false }
  }
})

/** Submissions of one generation at most: cells of `runs`. */
const capacity = 200_000
const generationMillis = 4000
/** How much longer than it was asked to the soak may take. Arbitrary: only a hang takes so long. */
const patienceMillis = 120_000
/** Callers that are busy at the same time. */
const callers = 48

interface Books {
  /** How often the body of a submission was entered, in any thread. */
  readonly runs: Int32Array
  /** The same for processes: a line with the index for each time. */
  readonly file: string
  submitted: number
  /** What callers were told, in that order. */
  readonly told: Array<
    { readonly index: number; readonly outcome: string; readonly mayRun: "once" | "never" | "either" }
  >
  readonly faults: Array<string>
}

const makeBooks = (directory: string): Books => ({
  runs: new Int32Array(new SharedArrayBuffer(capacity * 4)),
  file: join(directory, "runs"),
  submitted: 0,
  told: [],
  faults: []
})

/** Reasons with which a body has never been entered. */
const neverRan = new Set(["QueueFull", "QueueTimedOut", "ShutDown", "LoadFailed", "SpawnFailed"])

/** Enters what a caller was told of its submission into the books. */
const enter = <A, E>(books: Books, index: number, exit: Exit.Exit<A, E>, isRight: (value: A) => boolean): void => {
  if (Exit.isSuccess(exit)) {
    books.told.push({ index, outcome: "Succeeded", mayRun: "once" })
    if (!isRight(exit.value)) books.faults.push(`submission ${index} got the result of another`)
    return
  }
  const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  if (JoinError.isJoinError(error)) {
    const { reason } = error
    const outcome = reason._tag === "Cancelled" ? `Cancelled ${reason.stage}` : reason._tag
    const never = outcome === "Cancelled Queued" || neverRan.has(outcome)
    books.told.push({ index, outcome, mayRun: never ? "never" : "either" })
  } else if (error !== undefined) {
    books.told.push({ index, outcome: "Failed", mayRun: "once" })
  } else if (Cause.hasInterruptsOnly(exit.cause)) {
    books.told.push({ index, outcome: "Interrupted", mayRun: "either" })
  } else {
    books.faults.push(`submission ${index} died: ${Cause.pretty(exit.cause)}`)
  }
}

/** Compares what callers were told with what ran. */
const audit = (books: Books): void => {
  if (existsSync(books.file)) {
    for (const line of readFileSync(books.file, "utf8").trim().split("\n")) books.runs[Number(line)]!++
  }
  if (books.told.length !== books.submitted) {
    books.faults.push(`${books.submitted} submitted, ${books.told.length} told`)
  }
  for (const { index, mayRun, outcome } of books.told) {
    const ran = books.runs[index]!
    if (ran > 1 || (ran === 1 && mayRun === "never") || (ran === 0 && mayRun === "once")) {
      books.faults.push(`submission ${index} ran ${ran} times and ended with ${outcome}`)
    }
  }
}

/** Takes the index of the next submission, and enters its exit into the books, told or interrupted. */
const recorded = <A, E, R>(
  books: Books,
  call: (runs: tasks.Runs, index: number) => Effect.Effect<A, E, R>,
  isRight: (value: A) => boolean = () => true,
  runs: tasks.Runs = books.runs
): Effect.Effect<void, never, R> =>
  Effect.suspend(() => {
    const index = books.submitted++
    return call(runs, index).pipe(
      Effect.onExit((exit) => Effect.sync(() => enter(books, index, exit, isRight))),
      Effect.exit,
      Effect.asVoid
    )
  })

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

/** Interrupts a call after so many milliseconds. */
const cut = <A, E>(effect: Effect.Effect<A, E>, millis: number): Effect.Effect<A, E> =>
  Effect.flatMap(
    Effect.forkChild(effect, { startImmediately: true }),
    (fiber) =>
      Effect.andThen(Effect.sleep(millis), Fiber.interrupt(fiber)).pipe(
        Effect.andThen(Fiber.await(fiber)),
        Effect.flatten
      )
  )

/** What callers do; the weights are about a thousand in all. */
const mix: ReadonlyArray<readonly [weight: number, action: Action]> = [
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
const processMix: ReadonlyArray<readonly [weight: number, action: Action]> = [
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

const choose = (actions: typeof mix, random: (below: number) => number): Action => {
  let at = random(actions.reduce((sum, [weight]) => sum + weight, 0))
  return actions.find(([weight]) => (at -= weight) < 0)![1]
}

/** One caller, until the generation is over. */
const caller = Effect.fnUntraced(function*(
  pools: ReadonlyArray<Blocking.Pool>,
  actions: typeof mix,
  books: Books,
  isOver: () => boolean
) {
  const random = (below: number): number => Math.floor(next() * below)
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
    resourceLimits: { maxOldGenerationSizeMb: 32 }
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
  const books = makeBooks(directory)
  const scope = yield* Scope.make()
  const pools = yield* Effect.forEach(
    poolOptions(n),
    (options, i) => Scope.provide(NodeBlocking.make(`soak-${i}`, options), scope)
  )
  const [threads, processes] = [pools.slice(0, -1), pools.slice(-1)]
  let over = false
  const crowd = (count: number, pools: ReadonlyArray<Blocking.Pool>, actions: typeof mix) =>
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
  const fault = (text: string): void => {
    books.faults.push(text)
  }
  // Finalizers of a scope run one after the other: as many bounds. The rest is a busy machine.
  if (closeMillis > pools.length * boundMillis + 2000) fault(`the shutdown took ${closeMillis} ms`)
  for (const pool of pools) {
    let stats = yield* pool.stats
    // What was stuck has been released; its thread ends when it gets to it.
    for (let i = 0; i < 500 && stats.stuckThreads > 0; i++) {
      yield* Effect.sleep(10)
      stats = yield* pool.stats
    }
    const { outcomes, queueDepth, running, stuckThreads, submitted, suspended, threads } = stats
    const ended = Object.values(outcomes).reduce((a, b) => a + b, 0)
    const left = { threads, stuckThreads, queueDepth, suspended, running: running.length, unsettled: submitted - ended }
    if (Object.values(left).some((value) => value !== 0)) fault(`left in ${stats.key}: ${JSON.stringify(left)}`)
  }
  return books
})

// -----------------------------------------------------------------------------
// The run
// -----------------------------------------------------------------------------

setFlagsFromString("--expose-gc")
const collectGarbage = runInNewContext("gc") as () => void

const memory = () => {
  collectGarbage()
  const { external, heapUsed, rss } = process.memoryUsage()
  return { heap: (heapUsed + external) / 2 ** 20, rss: rss / 2 ** 20 }
}

/** mulberry32: small, and the same everywhere. */
let state = Number(options.seed)
const next = (): number => {
  state = state + 0x6d2b79f5 | 0
  let t = Math.imul(state ^ state >>> 15, 1 | state)
  t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t
  return ((t ^ t >>> 14) >>> 0) / 4294967296
}

const median = (numbers: ReadonlyArray<number>): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!

const program = Effect.gen(function*() {
  const end = performance.now() + Number(options.minutes) * 60_000
  const outcomes = new Map<string, number>()
  const faults: Array<string> = []
  const samples: Array<{ readonly heap: number; readonly rss: number }> = []
  let submitted = 0
  console.log(`soak: ${options.minutes} minutes, seed ${options.seed}, Node ${process.version}`)
  for (let n = 0; performance.now() < end; n++) {
    const books = yield* generation(n)
    submitted += books.submitted
    for (const { outcome } of books.told) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    faults.push(...books.faults.map((text) => `generation ${n}: ${text}`))
    const sample = memory()
    samples.push(sample)
    if (options.brief && books.faults.length === 0) continue
    console.log(
      `generation ${n}: ${books.submitted} tasks, heap ${sample.heap.toFixed(1)} MB, resident ${
        sample.rss.toFixed(0)
      } MB` +
        (books.faults.length > 0 ? `, ${books.faults.length} FAULTS` : "")
    )
  }

  // The first generations warm up: code is compiled, tables grow.
  const settled = samples.slice(Math.min(3, samples.length - 1))
  const third = Math.ceil(settled.length / 3)
  const [first, last] = [settled.slice(0, third), settled.slice(-third)].map((part) => ({
    heap: median(part.map(({ heap }) => heap)),
    rss: median(part.map(({ rss }) => rss))
  }))
  // Arbitrary: a leak of anything for each task or thread is far more after minutes.
  if (last!.heap > first!.heap + 5) faults.push(`the heap grew from ${first!.heap} to ${last!.heap} MB`)
  if (last!.rss > first!.rss * 1.2 + 30) faults.push(`resident memory grew from ${first!.rss} to ${last!.rss} MB`)
  const resources = process.getActiveResourcesInfo().filter((name) =>
    ["MessagePort", "Worker", "ProcessWrap"].includes(name)
  )
  if (resources.length > 0) faults.push(`left open: ${resources.join(", ")}`)

  if (!outcomes.has("Succeeded")) faults.push("no task succeeded")

  console.log(
    `${submitted} submitted, ${[...outcomes.values()].reduce((a, b) => a + b, 0)} told, ` +
      `${outcomes.get("Succeeded") ?? 0} succeeded`
  )
  if (!options.brief || faults.length > 0) {
    for (const [outcome, times] of [...outcomes].toSorted((a, b) => b[1] - a[1])) console.log(`  ${outcome}: ${times}`)
  }
  console.log(
    `heap ${first!.heap.toFixed(1)} MB in the first third, ${last!.heap.toFixed(1)} MB in the last; ` +
      `resident ${first!.rss.toFixed(0)} and ${last!.rss.toFixed(0)} MB`
  )
  if (faults.length > 0) {
    console.log(`\n${faults.length} faults:\n${faults.slice(0, 50).join("\n")}`)
    return yield* Effect.die(new Error("The books do not balance"))
  }
  console.log("The books balance.")
})

// By a signal: a thread that is stuck in native code would keep the process from its exit.
setTimeout(() => {
  console.log("The soak hangs: a generation or its shutdown has not ended.")
  process.kill(process.pid, "SIGKILL")
}, Number(options.minutes) * 60_000 + patienceMillis).unref()

// What pools log about all this is expected, and much.
NodeBlocking.runMain(program.pipe(Effect.provide(Logger.layer([]))))
