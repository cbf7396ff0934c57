/**
 * What a thread costs: the first result of a cold pool, and the memory of an idle
 * thread, beside a bare `Worker`, in one run.
 *
 * One operation of "first result": make a pool (or a Worker), get the first result of a
 * trivial function, close it. Medians of `rounds`, the two alternating. Memory is the
 * growth of RSS per thread over `threads` threads that have each run a task, in a fresh
 * process each.
 *
 * Plain JavaScript, so that no thread pays for stripping types: run it where the built
 * packages are installed.
 */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { Effect } from "effect"
import { execFileSync } from "node:child_process"
import { Worker } from "node:worker_threads"
import { first } from "./coldStart.task.mjs"

const rounds = 31
const threads = 16
const bareEntry = new URL("./coldStart.bare.mjs", import.meta.url)

const bare = () =>
  new Promise((resolve, reject) => {
    const worker = new Worker(bareEntry)
    worker.once("error", reject)
    worker.once("message", () => resolve(worker))
  })

const timed = async (operation) => {
  const start = performance.now()
  let time = 0
  await operation(() => {
    time = performance.now() - start
  })
  return time
}

const bareFirst = async (done) => {
  const worker = await bare()
  done()
  await worker.terminate()
}

const poolFirst = (done) =>
  Effect.runPromise(Effect.scoped(
    Effect.gen(function*() {
      const pool = yield* NodeBlocking.make("cold")
      yield* pool.run(first)
      done()
    })
  ))

const grown = async (start) => {
  globalThis.gc()
  const before = process.memoryUsage.rss()
  const stop = await start()
  await new Promise((resolve) => setTimeout(resolve, 500))
  globalThis.gc()
  const after = process.memoryUsage.rss()
  await stop()
  return (after - before) / threads / 2 ** 20
}

const bareMemory = () =>
  grown(async () => {
    const workers = await Promise.all(Array.from({ length: threads }, bare))
    return () => Promise.all(workers.map((worker) => worker.terminate()))
  })

const poolMemory = async () => {
  const { Scope, Exit } = await import("effect")
  const scope = Scope.makeUnsafe()
  const pool = await Effect.runPromise(
    Effect.provideService(NodeBlocking.make("memory", { maxThreads: threads }), Scope.Scope, scope)
  )
  return grown(async () => {
    await Effect.runPromise(pool.prewarm(threads))
    await Effect.runPromise(
      Effect.forEach(Array.from({ length: threads }), () => pool.run(first), { concurrency: threads })
    )
    return () => Effect.runPromise(Scope.close(scope, Exit.void))
  })
}

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1]

const mode = process.argv[2]
if (mode !== undefined) {
  console.log(await (mode === "bare" ? bareMemory() : poolMemory()))
} else {
  for (let i = 0; i < 3; i++) {
    await timed(bareFirst)
    await timed(poolFirst)
  }
  const [bareTimes, poolTimes] = [[], []]
  for (let i = 0; i < rounds; i++) {
    bareTimes.push(await timed(bareFirst))
    poolTimes.push(await timed(poolFirst))
  }
  const memory = (mode) =>
    median(Array.from(
      { length: 5 },
      () => Number(execFileSync(process.execPath, ["--expose-gc", import.meta.filename, mode], { encoding: "utf8" }))
    ))
  const row = (what, unit, bare, pool) =>
    console.log(
      `${what}: bare Worker ${bare.toFixed(1)} ${unit}, pool ${pool.toFixed(1)} ${unit}, ratio ${
        (pool / bare).toFixed(2)
      }`
    )
  row("first result", "ms", median(bareTimes), median(poolTimes))
  row("idle thread", "MB", memory("bare"), memory("pool"))
}
