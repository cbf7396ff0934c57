/**
 * Counts streams and read transactions. While one is open, everything written after it began stays
 * in the WAL. If they overlap without end, the WAL is never emptied (checkpoint starvation): then
 * new ones wait until those that are open have ended.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"

export class LongReads {
  open = 0
  private readonly gate = Latch.makeUnsafe(true)
  private readonly none = Latch.makeUnsafe(true)

  /** Waits while new long reads are held back, then counts this one until the scope closes. */
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

  /** Holds new long reads back while `use` runs. `use` begins when none is open, or after `millis`. */
  withoutNew<A>(millis: number, use: Effect.Effect<A>): Effect.Effect<A> {
    return Effect.acquireUseRelease(
      this.gate.close,
      () => Effect.andThen(Effect.timeoutOption(this.none.await, millis), use),
      () => this.gate.open
    )
  }
}
