/**
 * What the compiler holds of a task: that its body is synchronous and that its
 * values can cross to another thread, with a message that says what to do.
 * Types only.
 */
import type * as Cause from "effect/Cause"
import type * as Effect from "effect/Effect"
import type * as Result from "effect/Result"

declare const invalid: unique symbol

/** The type of an argument that was wrong; its parameter is the message that the compiler prints. */
export interface Invalid<Message> {
  readonly [invalid]: Message
}

type IsAny<A> = 0 extends 1 & A ? true : false

type AnyFunction = (...args: never) => unknown

/** Node's `Buffer`, known by a method: these types do not depend on `@types/node`. */
type BufferLike = Uint8Array & { readonly readUInt8: unknown }

/** Cloned as they are, methods and all. */
type Atom =
  | string
  | number
  | bigint
  | boolean
  | null
  | undefined
  | void
  | Date
  | RegExp
  | ArrayBuffer
  | SharedArrayBuffer
  | DataView
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array
  /* MessagePort */
  | { postMessage: AnyFunction; start: AnyFunction; close: AnyFunction }
  /* Blob */
  | { arrayBuffer: AnyFunction; slice: AnyFunction; stream: AnyFunction; text: AnyFunction }
  /* KeyObject */
  | { export: AnyFunction; equals: AnyFunction; type: string }

type Lost =
  | AnyFunction
  | symbol
  | PromiseLike<unknown>
  | WeakMap<WeakKey, unknown>
  | WeakSet<WeakKey>
  | WeakRef<WeakKey>
  | BufferLike

/**
 * `A` again if all of it can cross, otherwise a type that `A` does not fit. Mapped
 * types are compared lazily, so recursive interfaces end.
 */
type Cloneable<A> = IsAny<A> extends true ? A
  : unknown extends A ? A
  // Before the weak collections, which a `Map` or `Set` of objects would fit.
  : A extends ReadonlyMap<infer K, infer V> ? ReadonlyMap<Cloneable<K>, Cloneable<V>>
  : A extends ReadonlySet<infer V> ? ReadonlySet<Cloneable<V>>
  : A extends Lost ? never
  : A extends Atom ? A
  : A extends ReadonlyArray<infer V> ? number extends A["length"] ? Elements<V> : { [K in keyof A]: Cloneable<A[K]> }
  : A extends object ? { [K in keyof A]: Cloneable<A[K]> }
  : A

/**
 * Written with brackets, the elements are looked at when they are compared: a type that
 * holds itself in an array, as JSON does, would have no end otherwise.
 */
// oxlint-disable-next-line typescript/array-type
type Elements<V> = readonly Cloneable<V>[]

/** Not the keys under which Effect keeps the variance of its types. */
type Field<K> = K extends `~${string}` ? never : K & string

/**
 * A domain error crosses field by field, errors in it too, so methods that its
 * class gives back (`pipe`, `[Symbol.iterator]`) do not count.
 */
type CloneableFailure<E> = IsAny<E> extends true ? E
  : E extends Error ? { [K in keyof E as E[K] extends AnyFunction ? never : Field<K>]: CloneableFailure<E[K]> }
  : E extends Lost | Atom ? Cloneable<E>
  : E extends ReadonlyArray<infer V>
    ? number extends E["length"] ? FailureElements<V> : { [K in keyof E]: CloneableFailure<E[K]> }
  : E extends object ? { [K in keyof E]: CloneableFailure<E[K]> }
  : E

// oxlint-disable-next-line typescript/array-type
type FailureElements<V> = readonly CloneableFailure<V>[]

/** Says where, for the message; looked for only when the check has failed, and only so deep. */
type Culprit<A, Path extends string, Depth extends ReadonlyArray<1> = []> = IsAny<A> extends true ? never
  : unknown extends A ? never
  : A extends BufferLike ? `${Path} is a Buffer, which arrives as a Uint8Array: write Uint8Array instead`
  : A extends AnyFunction ?
    `${Path} is a function, which cannot be sent to another thread: leave it out, or use Task.schema`
  : A extends symbol ? `${Path} is a symbol, which cannot be sent to another thread`
  : A extends PromiseLike<unknown> ? `${Path} is a Promise: await it before, and pass its value`
  : A extends ReadonlyMap<infer K, infer V>
    ? Culprit<K, `${Path}.keys()`, [...Depth, 1]> | Culprit<V, `${Path}.values()`, [...Depth, 1]>
  : A extends ReadonlySet<infer V> ? Culprit<V, `${Path}.values()`, [...Depth, 1]>
  : A extends Lost ? `${Path} holds weak references, which cannot be sent to another thread`
  : A extends Atom ? never
  : Depth["length"] extends 5 ? never
  : A extends ReadonlyArray<infer V> ? number extends A["length"] ? Culprit<V, `${Path}[number]`, [...Depth, 1]>
    : { [K in keyof A & `${number}`]: Culprit<A[K], `${Path}[${K}]`, [...Depth, 1]> }[keyof A & `${number}`]
  : A extends object ? { [K in keyof A & string]-?: Culprit<A[K], `${Path}.${K}`, [...Depth, 1]> }[keyof A & string]
  : never

/** What the compiler prints. `Invalid` is applied where it is used: an alias of it would be printed in its place. */
type Message<A, Path extends string> = [Culprit<A, Path>] extends [never]
  ? `${Path} cannot be sent to another thread; give it a Task.schema`
  : Culprit<A, Path>

type CheckArguments<Args> = [Args] extends [Cloneable<Args>] ? unknown : Invalid<Message<Args, "arguments">>

type CheckSuccess<A> = [A] extends [BufferLike] ? unknown
  : [A] extends [Cloneable<A>] ? unknown
  : Invalid<Message<A, "result">>

type CheckFailure<E> = [E] extends [CloneableFailure<E>] ? unknown : Invalid<Message<E, "error">>

/** What is wrong with returning an `R` at all. */
type NotSynchronous<R> = IsAny<R> extends true ? never
  : R extends Result.Result<unknown, unknown> ? never
  : R extends PromiseLike<unknown> ?
    "A task body is synchronous, but this one is async or returns a Promise: use the blocking call (readFileSync, scryptSync …), or stay in Effect with Effect.promise"
  : R extends Error & Effect.Effect<unknown, unknown, unknown> ?
    "A task body returns its domain error in a Result, but this one returns the error itself: write Result.fail(error)"
  : R extends Effect.Effect<unknown, unknown, unknown> ?
    "A task body returns a plain value or a Result, but this one returns an Effect: run it with Effect, not on a pool thread"
  : R extends AsyncIterable<unknown> | { readonly "~effect/Stream": unknown } ?
    "A task body returns a plain value or a Result, but this one returns a stream: return an array of its elements"
  : never

export type SuccessOf<R> = IsAny<R> extends true ? R
  : R extends Result.Result<infer A, infer _E> ? Arrived<A>
  : Arrived<R>

/** The domain error of a body that returns an `R`. */
type Failure<R> = IsAny<R> extends true ? never
  : R extends Result.Result<infer _A, infer E> ? E
  : never

/** The domain error that arrives, if the task names classes of which `Named` are the instances. */
export type FailureOf<R, Named = never> = ArrivedFailure<Failure<R>, Named>

type ArrivedFailure<E, Named> = IsAny<E> extends true ? E
  : E extends Named ? E
  : E extends Error ? [OwnMethods<E>] extends [never] ? E : WithoutMethods<E>
  : E

/** Not those that every error of Effect has: they are there whatever the class. */
type OwnMethods<E> = {
  [K in keyof E]-?: E[K] extends AnyFunction ? K extends keyof Cause.YieldableError ? never : K : never
}[keyof E]

/** An error whose class the task does not name in its `errors`: it has its fields, and not its methods. */
export type WithoutMethods<E> = { [K in keyof E as K extends OwnMethods<E> ? never : K]: E[K] }

/** A `Buffer` that a body returns arrives as the `Uint8Array` that it is. */
type Arrived<A> = A extends BufferLike ? Uint8Array<ArrayBuffer> : A

/** Intersected with the type of a body: `unknown` when it is right. */
export type CheckBody<Args, R> = [NotSynchronous<R>] extends [never] ?
    & CheckArguments<Args>
    & CheckSuccess<SuccessOf<R>>
    & CheckFailure<Failure<R>>
  : Invalid<NotSynchronous<R>>
