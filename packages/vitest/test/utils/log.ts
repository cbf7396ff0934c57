/** The log of one test. */
import { Cause, Deferred, Effect, Exit, type Layer, Logger } from "effect"

export interface Log {
  readonly lines: ReadonlyArray<string>
  /** Waits for a line that includes the text. */
  readonly line: (text: string) => Effect.Effect<string>
  readonly layer: Layer.Layer<never>
}

export const makeLog = (): Log => {
  const lines: Array<string> = []
  const waiting = new Set<(line: string) => void>()
  const logger = Logger.make<unknown, void>(({ cause, logLevel, message }) => {
    if (logLevel === "Debug") return
    const line = `${String(message)} ${Cause.pretty(cause)}`.trim()
    lines.push(line)
    for (const tell of waiting) tell(line)
  })
  return {
    lines,
    line: (text) =>
      Effect.suspend(() => {
        const found = Deferred.makeUnsafe<string>()
        const tell = (line: string): void => {
          if (!line.includes(text)) return
          waiting.delete(tell)
          Deferred.doneUnsafe(found, Exit.succeed(line))
        }
        waiting.add(tell)
        for (const line of lines) tell(line)
        return Deferred.await(found)
      }),
    layer: Logger.layer([logger])
  }
}
