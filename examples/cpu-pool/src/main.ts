/** Renders a picture with one thread and with all cores, and shows who has to wait meanwhile. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { NodeServices } from "@effect/platform-node"
import { Console, Effect, FileSystem, Option, Schema } from "effect"
import { Task } from "effect-blocking"
import { Argument, Command } from "effect/cli"
import { decode } from "fast-png"
import { availableParallelism } from "node:os"
import * as Cpu from "./Cpu.ts"
import { fingerprint } from "./fingerprint.ts"
import { height, isInMainCardioid, isInside, width } from "./mandelbrot.ts"
import { meanwhile, rendering } from "./measure.ts"
import { encodePng } from "./tasks.ts"

class WrongPicture extends Schema.TaggedError<WrongPicture>()("WrongPicture", { message: Schema.String }) {}

const check = (right: boolean, message: string) => right ? Effect.void : Effect.fail(new WrongPicture({ message }))

const ms = (millis: number): string => `${millis.toFixed(millis < 10 ? 1 : 0)} ms`

const program = Effect.fn("cpu-pool")(function*({ file }: { readonly file: Option.Option<string> }) {
  const cores = availableParallelism()
  yield* Console.log(`Rendering ${width} x ${height} pixels …`)
  const one = yield* Effect.provide(rendering, Cpu.layer(1))
  yield* Console.log(`  one thread       ${ms(one.millis)}`)

  yield* Effect.gen(function*() {
    const all = yield* rendering
    yield* Console.log(`  one per core     ${ms(all.millis)}`)
    yield* Console.log(`${(one.millis / all.millis).toFixed(1)} times as fast, with ${cores} cores`)
    const short = yield* meanwhile
    yield* Console.log("\nA short task, while all cores render:")
    yield* Console.log(`  default pool     ${ms(short.median)} (median of ${short.count}, at most ${ms(short.max)})`)
    yield* Console.log(`  the same pool    ${ms(short.behind)}, behind the bands`)

    const png = yield* Cpu.Cpu.run(encodePng, Task.move(all.pixels.slice()))
    yield* check(all.pixels.every((byte, i) => byte === one.pixels[i]), "the two pictures differ")
    yield* check(Buffer.from(decode(png).data).equals(all.pixels), "the PNG does not hold the picture")
    yield* check(isInMainCardioid(0, 0) && isInside(all.pixels, 0, 0), "the upper left is not in the set")
    yield* check(!isInside(all.pixels, width - 1, height - 1), "the lower right is in the set")
    yield* Console.log(
      `\nChecked: both pictures are the same, and the PNG of ${Math.ceil(png.length / 1000)} kB holds them.`
    )
    if (Option.isSome(file)) yield* Effect.flatMap(FileSystem.FileSystem, (fs) => fs.writeFile(file.value, png))
  }).pipe(Effect.provide([Cpu.layer(cores), NodeBlocking.layer({ preload: [fingerprint] })]))
})

const command = Command.make("cpu-pool", {
  file: Argument.Path("file").pipe(Argument.withDescription("Where to write the picture"), Argument.optional)
}, program)

NodeBlocking.runMain(Command.run(command, { version: "1.0.0" }).pipe(Effect.provide(NodeServices.layer)))
