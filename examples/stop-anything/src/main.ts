/** Stops four tasks that do not end, and shows that the other tasks of their pool still run. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { NodeServices } from "@effect/platform-node"
import { Array, Console, Duration, Effect, FileSystem, Path, Schema } from "effect"
import { Blocking } from "effect-blocking"
import { ChildProcess, ChildProcessSpawner } from "effect/process"
import { createHash } from "node:crypto"
import { NotStopped, stopExport, stopRead, stopSum, stopValidate } from "./stops.ts"
import { digest, exportRows } from "./tasks.ts"

class WrongResult extends Schema.TaggedError<WrongResult>()("WrongResult", { message: Schema.String }) {}

const BlockingLive = NodeBlocking.layer({ maxThreads: 4, preload: [exportRows] })

/** Stops a task, checks the step that stopped it, and returns its line of the table. */
const line = Effect.fn("line")(function*<E, R>(
  task: string,
  means: string,
  expected: string,
  stop: Effect.Effect<string | undefined, E, R>
) {
  const [elapsed, step] = yield* Effect.timed(stop)
  if (step !== expected) return yield* new NotStopped({ task, detail: `was stopped by ${step}, not by ${expected}` })
  return `${task.padEnd(14)}${means.padEnd(18)}${step.padEnd(14)}${
    Duration.toMillis(elapsed).toFixed(0).padStart(5)
  } ms`
})

/** Runs short tasks on the same pool at the same time, and checks each result. */
const shortTasks = Effect.forEach(
  Array.range(1, 100),
  Effect.fn("shortTask")(function*(n) {
    const result = yield* Blocking.run(digest, n)
    if (result !== createHash("sha256").update(`${n}`).digest("hex")) {
      return yield* new WrongResult({ message: `Task "digest" returned ${result} for ${n}` })
    }
  }),
  { concurrency: "unbounded" }
)

const program = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "stop-anything-" })
  const fifo = path.join(folder, "fifo")
  const code = yield* spawner.exitCode(ChildProcess.make("mkfifo", [fifo]))
  if (code !== 0) return yield* new WrongResult({ message: `mkfifo ended with ${code}` })

  yield* Blocking.prewarm(4)
  yield* Console.log("4 tasks that do not end occupy all 4 threads. 100 short ones wait behind them.\n")
  const [lines, results] = yield* Effect.all([
    Effect.all([
      line("validate", "timeLimit", "Terminated", stopValidate),
      line("sum", "handle.abort", "Terminated", stopSum),
      line("exportRows", "Effect.timeout", "Checkpoint", stopExport(path.join(folder, "rows.csv"))),
      line("read (a FIFO)", "timeLimit", "Abandoned", stopRead(fifo))
    ], { concurrency: "unbounded" }),
    shortTasks
  ], { concurrency: "unbounded" })

  yield* Console.log(`\ntask          stopped through   step          caller continued after\n${lines.join("\n")}\n`)
  yield* Console.log(`Short tasks with the right result: ${results.length}`)
  const { outcomes, queueDepth, running, stuckThreads } = yield* Blocking.stats
  const state = `${outcomes.Succeeded} succeeded, ${outcomes.TimedOut} timed out, ${outcomes.Cancelled} cancelled, ` +
    `${queueDepth} queued, ${stuckThreads} stuck in ${running.map(({ task }) => task).join(", ")}`
  if (state !== "100 succeeded, 2 timed out, 2 cancelled, 0 queued, 1 stuck in read") {
    return yield* new WrongResult({ message: `The pool: ${state}` })
  }
  yield* Console.log(`The pool: ${state}`)
  yield* shortTasks
  yield* Console.log("The pool ran 100 more. Now the program ends, although the read never does.")
})

NodeBlocking.runMain(program.pipe(
  Effect.scoped,
  Effect.timeout("60 seconds"),
  Effect.provide([BlockingLive, NodeServices.layer])
))
