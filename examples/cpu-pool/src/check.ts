/** Checks the pictures. */
import { Effect, Schema } from "effect"
import { decode } from "fast-png"
import { height, isInMainCardioid, isInside, width } from "./mandelbrot.ts"

export class WrongPicture extends Schema.TaggedError<WrongPicture>()("WrongPicture", {
  problems: Schema.Array(Schema.String)
}) {
  override get message() {
    return this.problems.join(", ")
  }
}

interface Pictures {
  readonly one: Uint8Array
  readonly all: Uint8Array
  readonly png: Uint8Array
}

export const check = Effect.fn("check")(function*({ all, one, png }: Pictures) {
  const claims = {
    "one thread and all cores render different pictures": Buffer.compare(one, all) !== 0,
    "the PNG holds another picture": Buffer.compare(Buffer.from(decode(png).data), all) !== 0,
    "the upper left is not in the set": !isInMainCardioid(0, 0) || !isInside(all, 0, 0),
    "the lower right is in the set": isInside(all, width - 1, height - 1)
  }
  const problems = Object.entries(claims).filter(([, isTrue]) => isTrue).map(([claim]) => claim)
  if (problems.length > 0) return yield* new WrongPicture({ problems })
})
