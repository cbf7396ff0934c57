/** The parser, and the writer of the database: plain synchronous code that pool threads load. */
import { Callback, Task } from "effect-blocking"
import * as Result from "effect/Result"
import { DatabaseSync } from "node:sqlite"

export interface Measurement {
  readonly station: string
  readonly time: number
  readonly celsius: number
}

export interface BadLine {
  readonly _tag: "BadLine"
  readonly line: number
  readonly text: string
}

/** Reports how many rows are written. They are not committed yet. */
export class Written extends Callback.Service<Written>()("csv-import/Written", Callback.notify<[rows: number]>()) {}

export const heading = "station,time,celsius"

const measurementOf = (text: string): Measurement | undefined => {
  const fields = text.split(",").map((field) => field.trim())
  if (fields.length !== 3 || fields.includes("")) return undefined
  const [station, time, celsius] = fields as [string, string, string]
  const measurement = { station, time: Date.parse(time), celsius: Number(celsius) }
  return Number.isNaN(measurement.time) || Number.isNaN(measurement.celsius) ? undefined : measurement
}

/** Turns bytes into measurements. The first line that is not a measurement ends the import. */
export const parse = Task.pipe(import.meta.url, "parse", function*(parts: Iterable<Uint8Array>) {
  const decoder = new TextDecoder()
  let line = 0
  let rest = ""
  const read = function*(texts: ReadonlyArray<string>): Generator<Measurement, BadLine | undefined> {
    for (const text of texts) {
      line++
      if (line === 1 && text.trim() === heading) continue
      const measurement = measurementOf(text)
      if (measurement === undefined) return { _tag: "BadLine", line, text: text.slice(0, 100) }
      yield measurement
    }
    return undefined
  }
  for (const part of parts) {
    const texts = (rest + decoder.decode(part, { stream: true })).split("\n")
    rest = texts.pop()!
    const bad = yield* read(texts)
    if (bad !== undefined) return Result.fail(bad)
  }
  rest += decoder.decode()
  const bad = yield* read(rest === "" ? [] : [rest])
  return bad === undefined ? Result.succeed(undefined) : Result.fail(bad)
})

/** Writes measurements to a table, in one transaction: all rows, or no row. */
export const write = Task.sink(import.meta.url, "write", (rows: Iterable<Measurement>, path: string) => {
  const database = new DatabaseSync(path)
  try {
    database.exec("create table if not exists measurement (station text, time integer, celsius real)")
    database.exec("begin immediate")
    const insert = database.prepare("insert into measurement values (?, ?, ?)")
    let written = 0
    for (const { celsius, station, time } of rows) {
      insert.run(station, time, celsius)
      if (++written % 10_000 === 0) Written.send(written)
    }
    database.exec("commit")
    return written
  } finally {
    // The loop throws if the input fails or the import is interrupted. Closing rolls the transaction back.
    database.close()
  }
}, { callbacks: [Written] })
