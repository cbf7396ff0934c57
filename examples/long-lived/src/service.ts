/** The rest of the program: it signs each invoice with a short task, and puts it into the worker's folder. */
import { Array, Console, Effect, FileSystem, Path, Schema } from "effect"
import { Blocking } from "effect-blocking"
import { createHash } from "node:crypto"
import * as Progress from "./progress.ts"
import { type Invoice, sign } from "./tasks.ts"

export class WrongResult extends Schema.TaggedError<WrongResult>()("WrongResult", { message: Schema.String }) {}

export const invoices: ReadonlyArray<Invoice> = Array.makeBy(60, (n) => ({ number: n + 1, cents: (n + 1) ** 2 }))

/** Waits for the worker's counter. The wait needs neither a thread nor a message. */
const reached = Effect.fn("reached")(function*(progress: Int32Array, place: number, count: number) {
  while (true) {
    const now = Atomics.load(progress, place)
    if (now >= count) return
    const { async, value } = Atomics.waitAsync(progress, place, now)
    if (async) yield* Effect.promise(() => value)
  }
})

const submit = Effect.fn("submit")(function*(folder: string, invoice: Invoice) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const text = JSON.stringify(invoice)
  const signature = yield* Blocking.run(sign, text)
  if (signature !== createHash("sha256").update(text).digest("hex")) {
    return yield* new WrongResult({ message: `The signature of ${text} is ${signature}` })
  }
  const file = path.join(folder, `${invoice.number}`.padStart(6, "0"))
  yield* fs.writeFileString(file, text)
  yield* fs.rename(file, `${file}.json`) // The worker sees only complete files.
})

export const serve = Effect.fn("serve")(function*(folder: string, progress: Int32Array) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const submitAll = (some: ReadonlyArray<Invoice>) =>
    Effect.forEach(some, (invoice) => Effect.delay(submit(folder, invoice), "25 millis"), { discard: true })

  yield* submitAll(invoices.slice(0, 30))
  yield* reached(progress, Progress.booked, 30)
  yield* Console.log("30 invoices signed by short tasks, and booked by the worker.")

  yield* Console.log("Now a file that is cut off in the middle:")
  yield* fs.writeFileString(path.join(folder, "broken.json"), `{"number":`)
  yield* reached(progress, Progress.rejected, 1)
  yield* Console.log("It was restarted, and put the file aside.")

  yield* submitAll(invoices.slice(30))
  yield* reached(progress, Progress.booked, 60)
  yield* Console.log("30 more signed and booked. The program ends, and asks the worker to stop:")
})
