import { NodeBlocking } from "@effect-blocking/platform-node"
import { Console, Effect, Schedule } from "effect"
import { Blocking } from "effect-blocking"
import { constants, openSync } from "node:fs"
import { read } from "./password.ts"

const fifo = process.argv[2]!

/** The FIFO can be opened without waiting as soon as the task is inside its native call, where nothing can stop it. */
const entered = Effect.try(() => openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK)).pipe(
  Effect.retry(Schedule.spaced("5 millis"))
)

NodeBlocking.runMain(
  Effect.gen(function*() {
    yield* Blocking.spawnDetached(read, fifo)
    yield* entered
    yield* Console.log("end")
  }).pipe(
    Effect.provide(NodeBlocking.layer({ shutdownTimeout: 0, gracePeriod: 0, terminateTimeout: 20 }))
  ),
  { teardown: (_exit, onExit) => onExit(7) }
)
