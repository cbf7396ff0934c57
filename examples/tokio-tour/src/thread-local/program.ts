/** A value for each thread, and arguments that are copied, moved and shared. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { Array, Console, Effect } from "effect"
import { Blocking, Task } from "effect-blocking"
import { countCall, invert } from "./tasks.ts"

const size = 1_000_000

/** Holds two threads, and calls each of them three times, in turn. Gives their counts. */
const countOnTwoThreads = Blocking.lease((a) =>
  Blocking.lease((b) => Effect.replicateEffect(Effect.all([a.run(countCall), b.run(countCall)]), 3))
)

export const program = Effect.gen(function*() {
  const counts = Array.unzip(yield* countOnTwoThreads)
  for (const [index, thread] of counts.entries()) {
    yield* Console.log(`thread ${index + 1}  counts ${thread.join(", ")}`)
  }

  const copied = new Uint8Array(size)
  const moved = new Uint8Array(size)
  const shared = new Uint8Array(new SharedArrayBuffer(size))
  yield* Blocking.run(invert, copied)
  yield* Blocking.run(invert, Task.move(moved))
  yield* Blocking.run(invert, shared)
  // The arguments as the program sees them afterwards.
  const left = {
    copied: { length: copied.length, first: copied[0] },
    moved: { length: moved.length, first: moved[0] },
    shared: { length: shared.length, first: shared[0] }
  }
  for (const [how, { first, length }] of Object.entries(left)) {
    yield* Console.log(`${how.padEnd(10)}the program still has ${length} bytes, and the first is ${first ?? "gone"}`)
  }
  return { counts, left }
}).pipe(Effect.provide(NodeBlocking.layer({ maxThreads: 2 })))
