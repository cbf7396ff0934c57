/** Renders a picture with one thread and with all cores, and shows how long short tasks wait meanwhile. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { NodeServices } from "@effect/platform-node"
import { Console, Effect, FileSystem, Layer, Option } from "effect"
import { Argument, Command } from "effect/cli"
import { availableParallelism } from "node:os"
import { check } from "./check.ts"
import { Cpu } from "./Cpu.ts"
import { fingerprint } from "./fingerprint.ts"
import { height, width } from "./mandelbrot.ts"
import { compare, meanwhile } from "./measure.ts"
import { encodePng } from "./tasks.ts"

const cores = availableParallelism()

const ms = (millis: number): string => `${millis.toFixed(millis < 10 ? 1 : 0)} ms`

const command = Command.make(
  "cpu-pool",
  { file: Argument.Path("file").pipe(Argument.withDescription("File to write the picture to"), Argument.optional) },
  Effect.fn("cpu-pool")(function*({ file }) {
    yield* Console.log(`Rendering ${width} x ${height} pixels …`)
    const { all, one } = yield* compare
    yield* Console.log(`  one thread      ${ms(one.millis)}`)
    yield* Console.log(
      `  one per core    ${ms(all.millis)}: with ${cores}, ${(one.millis / all.millis).toFixed(1)} times as fast`
    )
    yield* Console.log("A short task, while all cores render …")
    const { among, beside } = yield* meanwhile
    yield* Console.log(
      `  default pool    ${ms(beside.median)}: the median of ${beside.count}, at most ${ms(beside.max)}`
    )
    yield* Console.log(
      `  the same pool   ${ms(among.median)}: the median of ${among.count}, at most ${ms(among.max)}`
    )

    const png = yield* Cpu.run(encodePng, all.pixels)
    yield* check({ one: one.pixels, all: all.pixels, png })
    yield* Console.log(
      `Checked: both pictures are the same, and the PNG of ${Math.ceil(png.length / 1000)} kB holds the same picture.`
    )
    if (Option.isSome(file)) yield* Effect.flatMap(FileSystem.FileSystem, (fs) => fs.writeFile(file.value, png))
  })
)

/** One pool for the long tasks, and the default pool for tasks that must not wait. */
const pools = Layer.merge(Cpu.layer(cores), NodeBlocking.layer({ preload: [fingerprint] }))

NodeBlocking.runMain(Command.run(command, { version: "1.0.0" }).pipe(Effect.provide([pools, NodeServices.layer])))
