/** A pool that closes behind tasks that never end: a loop, a system call, and one that waits behind them. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { NodeServices } from "@effect/platform-node"
import { Console, Duration, Effect, Exit, FileSystem, Layer, Path, Scope } from "effect"
import { Blocking, type JoinHandle } from "effect-blocking"
import { execFileSync } from "node:child_process"
import { closeSync, constants, openSync } from "node:fs"
import * as Signal from "../signal.ts"
import { read, spin } from "./tasks.ts"

const limits = { shutdownTimeout: 200, gracePeriod: 100, terminateTimeout: 300 }

/** A FIFO into which nobody writes. Its release opens and closes it: the read returns, and its thread ends. */
const makeFifo = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const fifo = path.join(yield* fs.makeTempDirectoryScoped({ prefix: "tokio-tour-" }), "fifo")
  return yield* Effect.acquireRelease(
    Effect.sync(() => {
      execFileSync("mkfifo", [fifo])
      return fifo
    }),
    () => Effect.sync(() => closeSync(openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK)))
  )
})

const outcome = Effect.fn("outcome")(function*(handle: JoinHandle.JoinHandle<string | void>) {
  const { reason } = yield* Effect.flip(handle.join)
  if (reason._tag !== "Cancelled") return reason._tag
  return `${handle.task.padEnd(6)}${reason._tag} by ${reason.by}, ${reason.stage}, ${reason.stopped ?? "never ran"}`
})

export const program = Effect.gen(function*() {
  const fifo = yield* makeFifo
  const scope = yield* Scope.make()
  const pool = yield* Layer.buildWithScope(NodeBlocking.layer({ maxThreads: 2, ...limits }), scope)
  const handles = yield* Effect.gen(function*() {
    const [spins, reads] = [Signal.make(), Signal.make()]
    const handles = [
      yield* Blocking.spawnDetached(spin, spins),
      yield* Blocking.spawnDetached(read, reads, fifo),
      yield* Blocking.spawnDetached(spin, Signal.make())
    ]
    yield* Effect.promise(() => Promise.all([Signal.counted(spins), Signal.counted(reads)]))
    return handles
  }).pipe(Effect.provide(pool))

  const [took] = yield* Effect.timed(Scope.close(scope, Exit.void))
  const { gracePeriod, shutdownTimeout, terminateTimeout } = limits
  yield* Console.log(
    `closed after ${Duration.toMillis(took).toFixed(0)} ms: ${shutdownTimeout} to end, ` +
      `${gracePeriod} from the stop flag to the termination, ${terminateTimeout} for the termination`
  )
  const outcomes = yield* Effect.forEach(handles, outcome)
  yield* Console.log(outcomes.join("\n"))
  return outcomes
}).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
