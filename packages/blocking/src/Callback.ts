/**
 * Calls from a body to its program: a lookup in a service, a decision, progress.
 *
 * A callback is declared as a service, in the module of the task. The task names it in its `callbacks`, and
 * the program must then provide it wherever it runs the task, like any other service. In the body, `call`
 * blocks the pool thread until the program has answered; the program's other fibers continue. `send` notifies
 * the program and returns at once.
 *
 * **Details**
 *
 * The provided function runs in a child fiber of the caller: it has the references and the span of the fiber
 * that runs the task, and is interrupted with the task. Values cross between threads as arguments and results
 * of tasks do.
 *
 * A thread that waits for an answer holds no place in its pool: the pool may start another thread instead,
 * for up to `maxThreads` waiting threads. So a callback can run tasks on the pool of its own task, and their
 * bodies can call back in turn. If the nesting needs more threads than that, the run fails at once with
 * `JoinError` and reason `WouldDeadlock`.
 *
 * A generator body, of a stream or a pipe, has a third form, `yield* Lookup.ask(id)`: the body is suspended
 * until the answer arrives, and its thread runs other tasks meanwhile.
 *
 * `call`, `ask` and `send` are checkpoints, like `Task.checkpoint`: they leave the body if it was asked to
 * stop. A stop wakes a waiting body.
 *
 * Pool threads load this module, so it imports no module of `effect`.
 *
 * **Example** (A lookup, and progress)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Blocking, Callback, Task } from "effect-blocking"
 *
 * class Lookup extends Callback.Service<Lookup>()("app/Lookup", Callback.fn<[id: string], number, "Missing">()) {}
 * class Progress extends Callback.Service<Progress>()("app/Progress", Callback.notify<[done: number, of: number]>()) {}
 *
 * const total = Task.make(import.meta.url, "total", (ids: ReadonlyArray<string>) => {
 *   let sum = 0
 *   ids.forEach((id, i) => {
 *     const price = Lookup.call(id) // a Result
 *     if (price._tag === "Success") sum += price.success
 *     Progress.send(i + 1, ids.length)
 *   })
 *   return sum
 * }, { callbacks: [Lookup, Progress] })
 *
 * const prices = new Map([["tea", 3]])
 *
 * export const program = Blocking.run(total, ["tea", "coffee"]).pipe(
 *   Effect.provideService(Lookup, (id) => Effect.fromNullishOr(prices.get(id)).pipe(Effect.mapError(() => "Missing" as const))),
 *   Effect.provideService(Progress, (done, of) => Effect.logDebug(`${done} of ${of}`))
 * )
 * ```
 *
 * @module
 * @since 0.1.0
 */
import type * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Result from "effect/Result"
import type { CheckCallback } from "./internal/task/types.ts"
import { threadContext } from "./internal/thread/context.ts"
import * as keys from "./internal/wire/callbackKeys.ts"
import { describe, NotCloneableError } from "./internal/wire/cloneable.ts"
import type { ErrorClass } from "./internal/wire/errorClasses.ts"
import * as protocol from "./internal/wire/protocol.ts"
import { decode } from "./internal/wire/restored.ts"
import * as result from "./internal/wire/result.ts"
import { checkpoint, inPoolThread, StopRequested, TaskDefinitionError } from "./Task.ts"

const TypeId = "~effect-blocking/Callback"
const QuestionTypeId = "~effect-blocking/Question"

// -----------------------------------------------------------------------------
// Models
// -----------------------------------------------------------------------------

/**
 * The parameters, result and failure of a callback, made by `fn` or `notify`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Signature<
  in out Args extends ReadonlyArray<unknown>,
  in out A,
  in out E,
  out Kind extends "call" | "send"
> {
  readonly [TypeId]: {
    readonly _Args: (_: Args) => Args
    readonly _A: (_: A) => A
    readonly _E: (_: E) => E
  }
  /** Which methods the callback has in a body: `call` and `ask`, or `send`. */
  readonly kind: Kind
  /** Classes whose identity (`instanceof`) failures keep in the body. */
  readonly errors: ReadonlyArray<ErrorClass>
}

/**
 * A callback of any kind, as `TaskOptions.callbacks` takes it.
 *
 * @category models
 * @since 0.1.0
 */
export interface AnyCallback {
  readonly [TypeId]: Pick<Signature<never, never, never, "call" | "send">, "errors" | "kind">
  readonly key: string
  readonly Identifier: unknown
}

/**
 * A call that the body of a stream or a pipe makes with `yield*`; the expression evaluates to `A`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Question<out A> {
  readonly [QuestionTypeId]: true
  readonly [Symbol.iterator]: () => Iterator<never, A, unknown>
}

/**
 * The class of a callback that bodies wait for: a service key in the program, with `call` for bodies and
 * `ask` for generator bodies.
 *
 * @category models
 * @since 0.1.0
 */
export interface CallClass<
  in out Self,
  in out Key extends string,
  in out Args extends ReadonlyArray<unknown>,
  in out A,
  in out E
> extends Context.ServiceClass<Self, Key, (...args: Args) => Effect.Effect<A, E>> {
  readonly [TypeId]: AnyCallback[typeof TypeId]
  /**
   * In a body: calls the program and blocks the thread until it has answered. Throws the defect if the
   * provided effect dies, and a `CallbackRefused` if no call can be made here. Leaves the body if it is asked
   * to stop.
   */
  readonly call: (this: void, ...args: Args) => Result.Result<A, E>
  /** Like `call`, but returns the value and throws the failure. */
  readonly callOrThrow: (this: void, ...args: Args) => A
  /**
   * In the body of a stream or a pipe: calls the program and suspends the body until it has answered, as in
   * `yield* Lookup.ask(id)`. The thread runs other tasks meanwhile. Throws like `call`.
   */
  readonly ask: (this: void, ...args: Args) => Question<Result.Result<A, E>>
  /** Like `ask`, but returns the value and throws the failure. */
  readonly askOrThrow: (this: void, ...args: Args) => Question<A>
}

/**
 * The class of a callback that bodies do not wait for: a service key in the program, with `send` for bodies.
 *
 * @category models
 * @since 0.1.0
 */
export interface NotifyClass<in out Self, in out Key extends string, in out Args extends ReadonlyArray<unknown>>
  extends Context.ServiceClass<Self, Key, (...args: Args) => Effect.Effect<void>>
{
  readonly [TypeId]: AnyCallback[typeof TypeId]
  /**
   * In a body: notifies the program and returns. The program handles the notifications of a body in order,
   * one at a time, and all of them before the task ends. While 64 are not yet handled, `send` waits. Leaves
   * the body if it is asked to stop.
   */
  readonly send: (this: void, ...args: Args) => void
}

// -----------------------------------------------------------------------------
// Errors
// -----------------------------------------------------------------------------

/**
 * Thrown in a body by a call that cannot be made: outside of a body, on the program's own thread, or to a
 * callback that the task does not name or the program does not provide.
 *
 * @category errors
 * @since 0.1.0
 */
export class CallbackRefused extends Error {
  readonly _tag = "CallbackRefused"
  override readonly name = "CallbackRefused"
  /** The key of the callback. */
  readonly callback: string

  constructor(callback: string, why: string) {
    super(`Callback "${callback}" ${why}`)
    this.callback = callback
  }
}

// -----------------------------------------------------------------------------
// Guards
// -----------------------------------------------------------------------------

/**
 * Returns whether a value is the class of a callback.
 *
 * @category guards
 * @since 0.1.0
 */
export const isCallback = (u: unknown): u is AnyCallback => typeof u === "function" && TypeId in u

// -----------------------------------------------------------------------------
// Constructors
// -----------------------------------------------------------------------------

const identity = <A>(value: A): A => value

const signature = <Args extends ReadonlyArray<unknown>, A, E, Kind extends "call" | "send">(
  kind: Kind,
  errors: ReadonlyArray<ErrorClass>
): Signature<Args, A, E, Kind> => ({ [TypeId]: { _Args: identity, _A: identity, _E: identity }, kind, errors })

/**
 * Describes a callback that bodies wait for.
 *
 * **Details**
 *
 * `Args` is the tuple of its parameters, `A` its result and `E` its failure. A type that cannot cross between
 * threads does not compile. Failures of a class in `errors` are instances of that class in the body; other
 * failures keep only their fields.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fn = <Args extends ReadonlyArray<unknown> = [], A = void, E = never>(
  options?: { readonly errors?: ReadonlyArray<ErrorClass> | undefined }
): Signature<Args, A, E, "call"> => signature("call", options?.errors ?? [])

/**
 * Describes a callback that bodies do not wait for.
 *
 * @category constructors
 * @since 0.1.0
 */
export const notify = <Args extends ReadonlyArray<unknown> = []>(): Signature<Args, void, never, "send"> =>
  signature("send", [])

/**
 * Declares a callback as a service.
 *
 * **Details**
 *
 * The key identifies the callback across threads and in the context, so it must be unique in the program,
 * like the key of any service. Throws a `TaskDefinitionError` if the key is not a non-empty string or the
 * signature was not made by `fn` or `notify`.
 *
 * **Example** (A decision of the program)
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Callback, Task } from "effect-blocking"
 *
 * class Overwrite extends Callback.Service<Overwrite>()("app/Overwrite", Callback.fn<[path: string], boolean>()) {}
 *
 * export const save = Task.make(import.meta.url, "save", (path: string) =>
 *   Overwrite.callOrThrow(path) ? "saved" : "kept", { callbacks: [Overwrite] })
 *
 * export const OverwriteLive = Layer.succeed(Overwrite, (path) => Effect.succeed(!path.endsWith(".lock")))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const Service = <Self>(): {
  <const Key extends string, Args extends ReadonlyArray<unknown>, A, E>(
    key: Key,
    signature: Signature<Args, A, E, "call"> & CheckCallback<Args, A, E>
  ): CallClass<Self, Key, Args, A, E>
  <const Key extends string, Args extends ReadonlyArray<unknown>>(
    key: Key,
    signature: Signature<Args, void, never, "send"> & CheckCallback<Args, void, never>
  ): NotifyClass<Self, Key, Args>
} => make as unknown as ReturnType<typeof Service<Self>>

const make = (key: string, { errors, kind }: Signature<never, never, never, "call" | "send">): AnyCallback => {
  if (typeof key !== "string" || key === "") {
    throw new TaskDefinitionError(`The key of a callback must be a non-empty string, not ${describe(key)}`)
  }
  if (kind !== "call" && kind !== "send") {
    throw new TaskDefinitionError(`Callback "${key}" needs a signature: Callback.fn<…>() or Callback.notify<…>()`)
  }
  const own = kind === "send"
    ? { send: (...args: ReadonlyArray<unknown>) => send(key, args) }
    : {
      call: (...args: ReadonlyArray<unknown>) => toResult(key, errors, callerOf(key).call(key, args)),
      callOrThrow: (...args: ReadonlyArray<unknown>) => orThrow(key, errors, callerOf(key).call(key, args)),
      ask: (...args: ReadonlyArray<unknown>) => new QuestionImpl(key, errors, args, toResult),
      askOrThrow: (...args: ReadonlyArray<unknown>) => new QuestionImpl(key, errors, args, orThrow)
    }
  return keys.make({ ...own, [TypeId]: { kind, errors }, key }) as unknown as AnyCallback
}

// -----------------------------------------------------------------------------
// Inside a body
// -----------------------------------------------------------------------------

const callerOf = (key: string) => {
  const { caller, control, current } = threadContext
  if (caller === undefined || current === 0) {
    throw new CallbackRefused(key, inPoolThread() || control !== undefined ? outsideOfBody : onOwnThread)
  }
  // After a stop, no answer will come.
  checkpoint()
  return caller
}

const outsideOfBody = "was called outside of a body: by a timer or promise that a body left behind, " +
  "while a module loads, or while a Task.threadLocal value is released"

const onOwnThread = "was called on the program's own thread, which would have to wait for itself: " +
  "run the task on a pool (Blocking.run), or pass the body what it needs"

type Read = (key: string, errors: ReadonlyArray<ErrorClass>, answer: protocol.AnswerMessage) => unknown

const toResult: Read = (key, errors, answer) =>
  answer[2] === protocol.Failed ? result.fail(decode(answer[3], errors)) : result.succeed(valueOf(key, answer))

const orThrow: Read = (key, errors, answer) => {
  if (answer[2] === protocol.Failed) throw decode(answer[3], errors)
  return valueOf(key, answer)
}

/** Yields the call to the thread's loop, once, and is resumed with the answer. */
class QuestionImpl implements Iterable<unknown, unknown, unknown> {
  readonly [QuestionTypeId] = true
  private readonly key: string
  private readonly errors: ReadonlyArray<ErrorClass>
  private readonly args: ReadonlyArray<unknown>
  /** A field, not a method: a `yield` without its star then fails, because a function cannot be cloned. */
  private readonly read: Read

  constructor(key: string, errors: ReadonlyArray<ErrorClass>, args: ReadonlyArray<unknown>, read: Read) {
    this.key = key
    this.errors = errors
    this.args = args
    this.read = read
  }

  [Symbol.iterator](): Iterator<unknown, unknown, unknown> {
    const { args, errors, key, read } = this
    let asked = false
    return {
      next: (answer) => {
        if (asked) {
          if (!Array.isArray(answer)) throw new CallbackRefused(key, notYielded)
          return { done: true, value: read(key, errors, answer as unknown as protocol.AnswerMessage) }
        }
        asked = true
        const question = callerOf(key).prepare(key, args)
        if (question === undefined) throw new CallbackRefused(key, notInGenerator)
        return { done: false, value: question }
      }
    }
  }
}

const notYielded = "was iterated outside of the body's own yield*: write yield* in the body itself"

const notInGenerator = "can be asked with yield* in the body of a stream or a pipe only: use call"

const send = (key: string, args: ReadonlyArray<unknown>): void => {
  const answer = callerOf(key).notify(key, args)
  if (answer !== undefined) valueOf(key, answer)
}

/** The value of a success; throws for any other answer. */
const valueOf = (key: string, [, , status, value]: protocol.AnswerMessage): unknown => {
  switch (status) {
    case protocol.Succeeded:
      return value
    case protocol.Stopped:
      throw new StopRequested()
    case protocol.Panicked:
      throw decode(value, [])
    case protocol.NotCloneable: {
      const { detail, path, side } = value as protocol.NotCloneableValue
      throw new NotCloneableError(side, path, detail)
    }
    default:
      throw new CallbackRefused(key, String(value))
  }
}
