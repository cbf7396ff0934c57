/**
 * The compile-time checks of a task: its body must be synchronous, and its values must be able to cross
 * threads. A failed check prints a message that says what to do. Types only.
 */
import type * as Effect from "effect/Effect"
import type * as Result from "effect/Result"
import type { OwnMethods, WithMethodsOf, WithoutMethods } from "../../Task.ts"

declare const invalid: unique symbol

/** The type of a rejected argument; its parameter is the message that the compiler prints. */
export interface Invalid<Message> {
  readonly [invalid]: Message
}

type IsAny<A> = 0 extends 1 & A ? true : false

type AnyFunction = (...args: never) => unknown

/** Node's `Buffer`, recognized by a method, so that these types do not depend on `@types/node`. */
type BufferLike = Uint8Array & { readonly readUInt8: unknown }

/** Types that are cloned as they are. */
type Atom =
  | string
  | number
  | bigint
  | boolean
  | null
  | undefined
  | void
  /* MessagePort */
  | { postMessage: AnyFunction; start: AnyFunction; close: AnyFunction }
  /* Blob */
  | { arrayBuffer: AnyFunction; slice: AnyFunction; stream: AnyFunction; text: AnyFunction }
  /* KeyObject */
  | { export: AnyFunction; equals: AnyFunction; type: string }

/** Typed arrays. `Float16Array` is recognized by its name, because few compilers declare it. */
type TypedArray =
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
  | { readonly BYTES_PER_ELEMENT: number; readonly [Symbol.toStringTag]: "Float16Array" }

/** Built-in objects that are cloned with their methods, but without the members of a subclass. */
type BuiltIn = Date | RegExp | ArrayBuffer | SharedArrayBuffer | DataView | TypedArray

type BuiltInKey =
  | keyof Date
  | keyof RegExp
  | keyof ArrayBuffer
  | keyof SharedArrayBuffer
  | keyof DataView
  | keyof Float32Array
  | keyof Uint8Array
  | keyof BigInt64Array

type Lost =
  | AnyFunction
  | symbol
  | PromiseLike<unknown>
  | WeakMap<WeakKey, unknown>
  | WeakSet<WeakKey>
  | WeakRef<WeakKey>
  | BufferLike

/**
 * The keys that a subclass adds to a built-in class with the keys `Known`. Keys of Effect's brands do not
 * count: they have no value.
 */
type Added<A, Known> = Exclude<keyof A, Known | `~${string}`>

/**
 * The methods added to an array: they are not cloned. Added fields are, such as those of a regular expression
 * match.
 */
type AddedMethods<A, K extends keyof A = Exclude<keyof A, keyof Array<unknown> | `${number}`>> = K extends unknown
  ? A[K] extends AnyFunction ? K : never
  : never

/** The fields of an error that a structured clone keeps. */
type ErrorKey = keyof Error | "cause"

/**
 * `A` itself if all of it can cross, otherwise a type to which `A` is not assignable. Mapped types are
 * compared lazily, so recursive interfaces terminate.
 */
type Cloneable<A> = IsAny<A> extends true ? A
  : unknown extends A ? A
  : A extends Atom ? A
  // Before the weak collections, to which a `Map` or `Set` of objects is assignable.
  : A extends ReadonlyMap<infer K, infer V>
    ? [Added<A, keyof Map<K, V>>] extends [never] ? ReadonlyMap<Cloneable<K>, Cloneable<V>> : never
  : A extends ReadonlySet<infer V> ? [Added<A, keyof Set<V>>] extends [never] ? ReadonlySet<Cloneable<V>> : never
  : A extends Lost ? never
  : A extends BuiltIn ? [Added<A, BuiltInKey>] extends [never] ? A : never
  : A extends ReadonlyArray<infer V> ? [AddedMethods<A>] extends [never] ? Elements<A, V> : never
  : A extends Error ? [Added<A, ErrorKey>] extends [never] ? A : never
  : A extends object ? { [K in keyof A]: IsUniqueSymbol<K> extends true ? never : Cloneable<A[K]> }
  : A

/** Whether a key is a unique symbol, and not an index signature for symbols. */
type IsUniqueSymbol<K> = K extends symbol ? symbol extends K ? false : true : false

/**
 * Written with brackets, so that the elements are resolved only when compared. Otherwise a type that contains
 * itself in an array, such as JSON, would not terminate.
 */
type Elements<A extends ReadonlyArray<unknown>, V> = number extends A["length"]
  // oxlint-disable-next-line typescript/array-type
  ? readonly Cloneable<V>[]
  : { [K in keyof A]: Cloneable<A[K]> }

/** A field name; excludes the keys under which Effect keeps the variance of its types. */
type Field<K> = K extends `~${string}` ? never : K & string

/**
 * A domain error crosses field by field, including errors inside it. Methods that its class restores (`pipe`,
 * `[Symbol.iterator]`) do not count.
 */
type CloneableFailure<E> = IsAny<E> extends true ? E
  : E extends Error ? { [K in keyof E as E[K] extends AnyFunction ? never : Field<K>]: CloneableFailure<E[K]> }
  : E extends Lost | Atom | BuiltIn | ReadonlyMap<unknown, unknown> | ReadonlySet<unknown> ? Cloneable<E>
  : E extends ReadonlyArray<infer V> ? [AddedMethods<E>] extends [never] ? FailureElements<E, V> : never
  : E extends object ? { [K in keyof E]: IsUniqueSymbol<K> extends true ? never : CloneableFailure<E[K]> }
  : E

type FailureElements<E extends ReadonlyArray<unknown>, V> = number extends E["length"]
  // oxlint-disable-next-line typescript/array-type
  ? readonly CloneableFailure<V>[]
  : { [K in keyof E]: CloneableFailure<E[K]> }

/** Types of Effect that a message names, because a path to one of their members would not help. */
type EffectType =
  | "Option"
  | "Result"
  | "Exit"
  | "Cause"
  | "Chunk"
  | "Duration"
  | "DateTime"
  | "Redacted"
  | "HashMap"
  | "HashSet"
  | "BigDecimal"

type EffectName<A, K = keyof A> = K extends `~effect/${infer Name extends EffectType}` ? Name : never

type WithArticle<Name extends string> = Name extends `${"A" | "E" | "I" | "O"}${string}` ? `an ${Name}` : `a ${Name}`

type AboutSubclass<Path extends string, Class extends string> = `${Path} is more than ${WithArticle<
  Class
>}, and arrives as ${WithArticle<
  Class
>} alone: send what it adds beside it, or use Task.schema`

type AboutBuffer<Path extends string> = Path extends `arguments${string}`
  ? `${Path} is a Buffer, which arrives as a Uint8Array: write Uint8Array instead`
  : `${Path} is a Buffer, which arrives as a Uint8Array: write Uint8Array.from(buffer)`

/**
 * The message about the offending member. Computed only when the check has failed, and to a limited depth.
 * `Side` is `"failure"` for domain errors, which cross field by field.
 */
type Culprit<A, Path extends string, Side, Depth extends ReadonlyArray<1> = []> = IsAny<A> extends true ? never
  : unknown extends A ? never
  : A extends Atom ? never
  : A extends BufferLike ? AboutBuffer<Path>
  : A extends AnyFunction ?
    `${Path} is a function, which cannot be sent to another thread: leave it out, or use Task.schema`
  : A extends symbol ? `${Path} is a symbol, which cannot be sent to another thread`
  : A extends PromiseLike<unknown> ? `${Path} is a Promise: await it before, and pass its value`
  : A extends { readonly "~effect-blocking/Question": true }
    ? `${Path} is a question to the program: write yield* in front of it`
  : A extends { readonly href: string; readonly searchParams: unknown }
    ? `${Path} is a URL, which cannot be sent to another thread: send url.href`
  : [EffectName<A>] extends [never] ? CulpritOfObject<A, Path, Side, Depth>
  : EffectName<A> extends "Redacted"
    ? `${Path} is Redacted, which cannot be sent to another thread: send its Redacted.value, or use Task.schema`
  : `${Path} is ${WithArticle<EffectName<A>>}, which cannot be sent to another thread: use Task.schema`

type CulpritOfObject<A, Path extends string, Side, Depth extends ReadonlyArray<1>> = A extends
  ReadonlyMap<infer K, infer V>
  ? [Added<A, keyof Map<K, V>>] extends [never]
    ? Culprit<K, `${Path}.keys()`, Side, [...Depth, 1]> | Culprit<V, `${Path}.values()`, Side, [...Depth, 1]>
  : AboutSubclass<Path, "Map">
  : A extends ReadonlySet<infer V>
    ? [Added<A, keyof Set<V>>] extends [never] ? Culprit<V, `${Path}.values()`, Side, [...Depth, 1]>
    : AboutSubclass<Path, "Set">
  : A extends Lost ? `${Path} holds weak references, which cannot be sent to another thread`
  : A extends BuiltIn ? [Added<A, BuiltInKey>] extends [never] ? never : AboutSubclass<Path, BuiltInName<A>>
  : Depth["length"] extends 5 ? never
  : A extends ReadonlyArray<infer V>
    ? [AddedMethods<A>] extends [never]
      ? number extends A["length"] ? Culprit<V, `${Path}[number]`, Side, [...Depth, 1]>
      : { [K in keyof A & `${number}`]: Culprit<A[K], `${Path}[${K}]`, Side, [...Depth, 1]> }[keyof A & `${number}`]
    : AboutSubclass<Path, "Array">
  : A extends Error ? Side extends "failure" ? {
        [K in keyof A as A[K] extends AnyFunction ? never : Field<K>]-?: Culprit<
          A[K],
          `${Path}.${Field<K>}`,
          Side,
          [...Depth, 1]
        >
      } extends infer Found ? Found[keyof Found] : never
    : [Added<A, ErrorKey>] extends [never] ? never
    : `${Path} is an Error, of which only name, message, stack and cause arrive: send its fields as an object, or use Task.schema`
  : A extends object ?
      | (true extends { [K in keyof A]: IsUniqueSymbol<K> }[keyof A]
        ? `${Path} has a symbol as a key, which is lost on the way: use a string, or Task.schema`
        : never)
      | { [K in keyof A & string]-?: Culprit<A[K], `${Path}.${K}`, Side, [...Depth, 1]> }[keyof A & string]
  : never

type BuiltInName<A> = A extends Date ? "Date"
  : A extends RegExp ? "RegExp"
  : A extends TypedArray ? "TypedArray"
  : A extends DataView ? "DataView"
  : "ArrayBuffer"

/**
 * The message that the compiler prints. `Invalid` is applied at each use, because an alias of it would be
 * printed instead of the message.
 */
type Message<A, Path extends string, Side = "value"> = [Culprit<A, Path, Side>] extends [never]
  ? `${Path} cannot be sent to another thread; give it a Task.schema`
  : Culprit<A, Path, Side>

type CheckArguments<Args> = [Args] extends [Cloneable<Args>] ? unknown : Invalid<Message<Args, "arguments">>

type CheckSuccess<A> = [A] extends [Cloneable<A>] ? unknown : Invalid<Message<A, "result">>

type CheckFailure<E> = [E] extends [CloneableFailure<E>] ? unknown : Invalid<Message<E, "error", "failure">>

/** The message for a return type that no body may have; `never` if `R` is allowed. */
type NotSynchronous<R> = IsAny<R> extends true ? never
  : R extends Result.Result<unknown, unknown> ? never
  : R extends PromiseLike<unknown> ?
    "A task body is synchronous, but this one is async or returns a Promise: use the blocking call (readFileSync, scryptSync …), or stay in Effect with Effect.promise"
  : R extends Error & Effect.Effect<unknown, unknown, unknown> ?
    "A task body returns its domain error in a Result, but this one returns the error itself: write Result.fail(error)"
  : R extends Effect.Effect<unknown, unknown, unknown> ?
    "A task body returns a plain value or a Result, but this one returns an Effect: run it with Effect, not on a pool thread"
  : R extends Generator<unknown, unknown, never> ?
    "A task body returns a plain value or a Result, but this one is a generator: define it with Task.stream"
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

/** The domain error as it arrives; `Named` is the union of the instances of the classes in `errors`. */
export type FailureOf<R, Named = never> = ArrivedFailure<Failure<R>, Named>

type ArrivedFailure<E, Named> = IsAny<E> extends true ? E
  : E extends Error ? [OwnMethods<E>] extends [never] ? E
    : [SameAs<E, Named>] extends [never]
      ? [SupersOf<E, Named>] extends [never] ? WithoutMethods<E> : WithMethodsOf<E, SupersOf<E, Named>>
    : E
  : E

/** The named classes that `E` extends: the error arrives as an instance of the nearest. */
type SupersOf<E, Named> = Named extends unknown ? E extends Named ? Named : never : never

type SameAs<E, Named> = Named extends E ? E extends Named ? Named : never : never

/** The type of a value on arrival: a `Buffer` arrives as a `Uint8Array`. */
type Arrived<A> = A extends BufferLike ? Uint8Array<ArrayBuffer> : A

/** The parameters of a body. */
export type ParametersOf<F> = IsAny<F> extends true ? ReadonlyArray<any>
  : F extends (...args: infer Args extends ReadonlyArray<unknown>) => unknown ? Args
  : never

/** The return type of a body. */
export type ReturnOf<F> = IsAny<F> extends true ? F : F extends (...args: never) => infer R ? R : never

/**
 * Intersected with the type of a body: `unknown` if the body is valid. The compiler first checks a body with
 * untyped parameters as a `Function`, which must pass.
 */
export type CheckBody<F> = Function extends F ? unknown : Check<ParametersOf<F>, ReturnOf<F>>

/** Like `CheckBody`, for the body of a stream, which is a generator. */
export type CheckStreamBody<F> = Function extends F ? unknown : CheckStream<ParametersOf<F>, ReturnOf<F>>

type CheckStream<Args, R> = IsAny<R> extends true ? CheckArguments<Args>
  : R extends Generator<infer A, infer End, infer _Next> ?
      & CheckArguments<Args>
      & CheckElements<A>
      & CheckFailure<Failure<End>>
      & CheckEnd<End>
  : R extends AsyncIterable<unknown> | PromiseLike<unknown> ? Invalid<
      "The body of a stream is synchronous, but this one is async: use blocking calls (readSync …), or stay in Effect with Stream.fromAsyncIterable"
    >
  : Invalid<"The body of a stream is a generator function: write function*, and yield its elements">

/** Like `CheckBody`, for the body of a sink, whose first parameter is its input. */
export type CheckSinkBody<F> = Function extends F ? unknown
  : CheckInput<ParametersOf<F>> & Check<ParametersAfterInput<F>, ReturnOf<F>>

/** Like `CheckBody`, for the body of a pipe. */
export type CheckPipeBody<F> = Function extends F ? unknown
  : CheckInput<ParametersOf<F>> & CheckStream<ParametersAfterInput<F>, ReturnOf<F>>

type CheckInput<Args> = Args extends readonly [infer Input, ...infer _Rest] ? IsAny<Input> extends true ? unknown
  : Input extends Iterable<infer In>
    ? IterableIterator<In> extends Input ?
      [In] extends [Cloneable<In>] ? unknown : Invalid<Message<In, "input[number]">>
    : Invalid<NoInput>
  : Invalid<NoInput>
  : Invalid<NoInput>

type NoInput = "The first parameter of the body is its input: write (input: Iterable<…>, …)"

/** The elements that a body takes. */
export type InputOf<F> = ParametersOf<F> extends readonly [Iterable<infer In>, ...infer _Rest] ? In : never

/** The parameters of a body after its input. */
export type ParametersAfterInput<F> = ParametersOf<F> extends
  readonly [infer _Input, ...infer Rest extends ReadonlyArray<unknown>] ? Rest : []

type CheckElements<A> = [Arrived<A>] extends [Cloneable<Arrived<A>>] ? unknown
  : Invalid<Message<Arrived<A>, "elements[number]">>

type CheckEnd<End> = [End] extends [void | Result.Result<void, unknown>] ? unknown
  : Invalid<
    "The body of a stream returns nothing, or Result.fail(error): any other value it returns is not an element, so yield it"
  >

/** The elements, as they arrive, of a body that returns an `R`. */
export type ElementOf<R> = IsAny<R> extends true ? R : R extends Generator<infer A, unknown, never> ? Arrived<A> : never

/** The final return value of a generator body that returns an `R`. */
export type EndOf<R> = IsAny<R> extends true ? R : R extends Generator<unknown, infer End, never> ? End : never

type Check<Args, R> = [NotSynchronous<R>] extends [never] ?
    & CheckArguments<Args>
    & CheckSuccess<SuccessOf<R>>
    & CheckFailure<Failure<R>>
  : Invalid<NotSynchronous<R>>

/** Intersected with the type of a callback: `unknown` if its parameters, result and failure can cross. */
export type CheckCallback<Args, A, E> = CheckArguments<Args> & CheckSuccess<A> & CheckFailure<E>
