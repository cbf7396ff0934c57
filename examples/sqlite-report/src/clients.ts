/** Two clients of the server: one downloads the report slowly, and the other one asks for files meanwhile. */
import { Effect, Schema, Stream } from "effect"
import { HttpClient, HttpServer } from "effect/http"

/** The speed limit of the download. */
const bytesPerMilli = 40_000

const askEveryMillis = 20

export class WrongAnswer extends Schema.TaggedError<WrongAnswer>()("WrongAnswer", { message: Schema.String }) {}

export interface Measured {
  /** Milliseconds from the time when a cheap read was due to its answer. */
  readonly latencies: ReadonlyArray<number>
  readonly firstByteMillis: number
  readonly totalMillis: number
  readonly lines: number
  /** The peak growth of the process, in bytes. */
  readonly memory: number
}

const newline = 10

export const measure = Effect.fn("measure")(function*(files: number) {
  const { address } = yield* HttpServer.HttpServer
  const url = HttpServer.formatAddress(address)
  const client = yield* HttpClient.HttpClient
  const before = process.memoryUsage.rss()
  let [firstByteMillis, bytes, lines, memory] = [0, 0, 0, 0]
  const start = performance.now()
  const download = Effect.gen(function*() {
    const response = yield* client.get(`${url}/report.csv`)
    yield* Stream.runForEach(response.stream, (piece) => {
      if (bytes === 0) firstByteMillis = performance.now() - start
      bytes += piece.length
      for (const byte of piece) if (byte === newline) lines++
      memory = Math.max(memory, process.memoryUsage.rss() - before)
      const early = bytes / bytesPerMilli - (performance.now() - start - firstByteMillis)
      return early > 5 ? Effect.sleep(early) : Effect.void
    })
  })
  const latencies: Array<number> = []
  const cheapReads = Effect.gen(function*() {
    for (let i = 0;; i++) {
      // Latency counts from the due time: a blocked event loop also delays the request.
      const due = performance.now() + askEveryMillis
      yield* Effect.sleep(askEveryMillis)
      const id = 1 + i % files
      const response = yield* client.get(`${url}/files/${id}`)
      const file = yield* response.json as Effect.Effect<{ readonly id?: number }, unknown>
      if (file.id !== id) return yield* new WrongAnswer({ message: `GET /files/${id}: ${JSON.stringify(file)}` })
      latencies.push(performance.now() - due)
    }
  })
  yield* Effect.raceFirst(download, cheapReads)
  return { latencies, firstByteMillis, totalMillis: performance.now() - start, lines, memory } satisfies Measured
})
