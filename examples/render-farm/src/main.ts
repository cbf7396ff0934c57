/** Renders the picture of `cpu-pool` on runners that start, shut down and die, and compares it with the local one. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { NodeServices } from "@effect/platform-node"
import { Console, Data, Effect, FileSystem, Layer, Queue } from "effect"
import { Blocking } from "effect-blocking"
import { channels, height, width } from "../../cpu-pool/src/mandelbrot.ts"
import { renderBand } from "./bands.ts"
import { Farm, storage } from "./Farm.ts"
import * as Runners from "./runners.ts"

type Receipts = Effect.Error<Receipt["await"]>
type Receipt = Effect.Success<ReturnType<typeof submit>>

class WrongPicture extends Data.TaggedError("WrongPicture")<{ readonly problem: string }> {}

const bandRows = 4
const bands = Array.from({ length: height / bandRows }, (_, band) => ({ top: band * bandRows, rows: bandRows }))

const submit = (band: { readonly top: number; readonly rows: number }) =>
  Farm.submit(renderBand, band, { key: `picture, from row ${band.top}` })

/** Submits all bands. The result waits until a part of them is done. */
const submitted = Effect.fn("submitted")(function*(picture: Uint8Array) {
  const progress = yield* Queue.unbounded<number, Receipts>()
  let done = 0
  yield* Effect.forEach(bands, (band) =>
    Effect.gen(function*() {
      const receipt = yield* submit(band)
      picture.set(yield* receipt.await, band.top * width * channels)
      yield* Queue.offer(progress, ++done)
    }), { concurrency: "unbounded", discard: true }).pipe(
      // A failure ends the wait for progress.
      Effect.catchCause((cause) => Queue.failCause(progress, cause)),
      Effect.forkScoped
    )
  /** Waits until this part of the picture is done. */
  return (part: number) =>
    Effect.gen(function*() {
      while (done < part * bands.length) {
        const count = yield* Queue.take(progress)
        if (process.stdout.isTTY) {
          process.stdout.write(`\r  ${"█".repeat(Math.round(40 * count / bands.length))} ${count}`)
        }
      }
      if (process.stdout.isTTY) process.stdout.write("\r\u001B[K")
    })
})

const render = Effect.fn("render")(function*(database: string) {
  const picture = new Uint8Array(width * height * channels)
  yield* Console.log(`Rendering ${width} x ${height} pixels in ${bands.length} bands …`)
  const first = yield* Runners.start(database)
  const second = yield* Runners.start(database)
  const until = yield* submitted(picture)
  yield* Console.log("  two runners have started")
  yield* until(0.2)
  yield* Console.log("  20 % done: one of them is killed, in the middle of a band")
  yield* Runners.kill(first)
  yield* until(0.4)
  yield* Console.log("  40 % done: another one starts")
  yield* Runners.start(database)
  yield* until(0.6)
  yield* Console.log("  60 % done: the older one is shut down, and ends its band first")
  yield* Runners.shutDown(second)
  yield* until(1)
  const { repeated, submitted: { succeeded } } = yield* Farm.stats
  yield* Console.log(`  ${succeeded} bands done, ${repeated} of them started twice`)
  return picture
}, Effect.scoped)

const program = Effect.gen(function*() {
  const fs = yield* FileSystem.FileSystem
  const folder = yield* fs.makeTempDirectoryScoped({ prefix: "render-farm-" })
  const database = `${folder}/farm.db`
  const farm = Farm.layerClient().pipe(Layer.provide(storage(database)))
  const rendered = yield* Effect.provide(render(database), farm)
  const local = yield* Blocking.run(renderBand, { top: 0, rows: height })
  if (Buffer.compare(rendered, local) !== 0) {
    return yield* new WrongPicture({ problem: "the farm rendered another picture" })
  }
  yield* Console.log("Checked: one thread of this program renders the same picture.")
}).pipe(Effect.scoped)

NodeBlocking.runMain(program.pipe(Effect.provide([NodeBlocking.layer({ maxThreads: 1 }), NodeServices.layer])))
