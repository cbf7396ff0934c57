/** Pool threads load this module. */
import { Callback, Task } from "effect-blocking"

/** A body at some depth asks the program to go one deeper, and gets the depth that was reached. */
export class Deeper extends Callback.Service<Deeper>()("tokio-tour/Deeper", Callback.fn<[depth: number], number>()) {}

/** Blocks its thread until the program has come back from below. */
export const descend = Task.make(import.meta.url, "descend", (depth: number) => Deeper.callOrThrow(depth), {
  callbacks: [Deeper]
})
