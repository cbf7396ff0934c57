/**
 * Streams and read transactions: as long as one of them is open, what was written behind its begin
 * stays in the WAL. Where they overlap without end, it would never be emptied: then new ones are kept
 * waiting for a moment, until those that are open have ended.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"

export class LongReads {
  open = 0
  private readonly gate = Latch.makeUnsafe(true)
  private readonly none = Latch.makeUnsafe(true)

  /** Waits while new ones are held back, and counts one until the scope closes. */
  readonly enter: Effect.Effect<void, never, Scope.Scope> = Effect.andThen(
    this.gate.await,
    Effect.acquireRelease(
      Effect.sync(() => {
        this.open++
        this.none.closeUnsafe()
      }),
      () =>
        Effect.sync(() => {
          this.open--
          if (this.open === 0) this.none.openUnsafe()
        })
    )
  )

  /** Holds new ones back while `use` runs, which begins when none is open, or so many milliseconds later. */
  withoutNew<A>(millis: number, use: Effect.Effect<A>): Effect.Effect<A> {
    return Effect.acquireUseRelease(
      this.gate.close,
      () => Effect.andThen(Effect.timeoutOption(this.none.await, millis), use),
      () => this.gate.open
    )
  }
}
