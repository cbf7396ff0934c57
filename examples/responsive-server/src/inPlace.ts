/**
 * The other variant: the same `Blocking` service, but tasks run where they are
 * called, on the event loop, as code does that calls `scryptSync` in a handler.
 */
import { Duration, Effect, Layer, Result } from "effect"
import { Blocking, type Task } from "effect-blocking"

const run = <Args extends ReadonlyArray<unknown>, A, E, R>(
  task: Task.Task<Args, A, E, R>,
  ...args: Args
): Effect.Effect<A, E> =>
  // It is above any budget, on purpose: no warning about it.
  Blocking.inPlace(() => task.body(...args), { budget: Duration.infinity }).pipe(
    Effect.flatMap((value) =>
      Result.isResult(value) ? Effect.fromResult(value as Result.Result<A, E>) : Effect.succeed(value as A)
    )
  )

const unused = () => {
  throw new Error("There is only `run` in place")
}

/** A stand-in for `NodeBlocking.layer()` without threads; of its operations it has only `run`. */
export const layer = Layer.mock(Blocking.Blocking, { run, sink: unused, pipe: unused })
