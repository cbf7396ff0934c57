/**
 * The form of values in shared memory: a compact form of the values that structured clone
 * carries, for plain values, bytes and the collections of the language. The reader gets the same result as from
 * structured clone (identity of parts that occur twice, key order, holes, -0, lone
 * surrogates …). A value that contains anything else is posted instead.
 *
 * A payload is its length, and one value. A value is a tag and what follows it:
 *
 * | tag                      | what follows                                                        |
 * | ------------------------ | ------------------------------------------------------------------- |
 * | Int32, Float64, Time     | the number; `Time` is a Date                                         |
 * | ShortText                | length in a byte, characters of a byte each                          |
 * | Text, WideText, BigInt   | length, characters of one byte, of two, or of one                    |
 * | List                     | count, values                                                       |
 * | SparseList               | length, then as `Record`                                             |
 * | Shaped                   | count and length of the keys, the keys as `ShortText`s, the values   |
 * | Record                   | count, then for each: key as a value, value                          |
 * | MapOf, SetOf             | count, then the keys and values, or the values                       |
 * | Bytes                    | kind of the view, length in bytes, the bytes                         |
 * | Part                     | kind of the view, its index among the parts that came by message     |
 * | Known                    | the number of an earlier object                                      |
 *
 * Objects are numbered in the order in which they begin.
 *
 * Pool threads load this file: it imports nothing.
 */

export const Undefined = 0
export const Null = 1
export const True = 2
export const False = 3
export const Int32 = 4
export const Float64 = 5
export const ShortText = 6
export const Text = 7
export const WideText = 8
export const BigInteger = 9
export const List = 10
export const SparseList = 11
export const Shaped = 12
export const Record = 13
export const Time = 14
export const MapOf = 15
export const SetOf = 16
export const Bytes = 17
export const Part = 18
export const Known = 19

/** Bytes of the length field at the beginning of a payload. */
export const headerLength = 4

/** From this number of bytes on, the platform's copy is quicker. Arbitrary. */
const longLength = 2 ** 15

/** Functions that the platform provides. */
export interface PayloadPlatform {
  /** Whether the value is a proxy, which looks like its target, and which no clone accepts. */
  readonly isProxy: (value: object) => boolean
  /**
   * Whether an object is more than a plain one, although its prototype and fields do not show it: a handle of
   * native code, `arguments`, or a Map or an Error whose prototype was replaced. Called only for objects
   * without fields or elements.
   */
  readonly isOpaque: (value: object) => boolean
  /** Copies a part of a buffer to a new buffer, which is moved. */
  readonly copyOf: (buffer: ArrayBufferLike, start: number, length: number) => ArrayBuffer
  /** String access to the given memory. */
  readonly text: (memory: ArrayBufferLike) => TextMemory
}

/** Reads and writes strings in memory, faster than a loop. */
export interface TextMemory {
  /** Whether the string is ASCII. */
  readonly isAscii: (text: string) => boolean
  /** Writes the characters of a string, one byte each. */
  readonly write: (text: string, at: number) => void
  /** Writes the characters of a string, two bytes each, the lower first. */
  readonly writeWide: (text: string, at: number) => void
  readonly read: (start: number, end: number) => string
  readonly readWide: (start: number, end: number) => string
}

/** Memory with payloads, and its views. */
export class PayloadMemory {
  readonly memory: ArrayBufferLike
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly text: TextMemory

  private readonly platform: PayloadPlatform

  constructor(memory: ArrayBufferLike, platform: PayloadPlatform) {
    this.platform = platform
    this.memory = memory
    this.bytes = new Uint8Array(memory)
    this.view = new DataView(memory)
    this.text = platform.text(memory)
  }

  /** Copies bytes to a new buffer. */
  copyOf(start: number, length: number): ArrayBuffer {
    if (length >= longLength) return this.platform.copyOf(this.memory, start, length)
    const buffer = new ArrayBuffer(length)
    new Uint8Array(buffer).set(this.bytes.subarray(start, start + length))
    return buffer
  }

  /** Length in bytes of the payload that begins at `start`. */
  lengthOf(start: number): number {
    return this.view.getUint32(start, true)
  }
}

type View = new(buffer: ArrayBuffer) => ArrayBufferView

/** The kinds of views by number. `ArrayBuffer` is no view, and its number stands for a buffer without one. */
const views: ReadonlyArray<View | undefined> = [
  undefined,
  DataView,
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  (globalThis as { readonly Float16Array?: View }).Float16Array
]

const kinds = new Map(views.flatMap((View, kind) => View === undefined ? [] : [[View.name, kind]]))

/** The kind of a buffer that is sent without a view. */
export const BufferKind = 0
const DataViewKind = 1

type Getter<A> = (this: unknown) => A

const getterOf = <A>(prototype: object, name: PropertyKey): Getter<A> => {
  const property = Object.getOwnPropertyDescriptor(prototype, name)
  if (property !== undefined) return property.get as Getter<A>
  throw new Error(`effect-blocking needs Node 22.19 or later: this engine has no "${String(name)}" on buffers`)
}

const typedArray = Object.getPrototypeOf(Uint8Array.prototype) as object
const tagOf = getterOf<string | undefined>(typedArray, Symbol.toStringTag)

/** The kind of a view, whatever its subclass; `undefined` for one of a later edition of the language. */
export const kindOfView = (view: ArrayBufferView): number | undefined => {
  // A DataView does not have this getter.
  const name = tagOf.call(view)
  return name === undefined ? DataViewKind : kinds.get(name)
}

const extentBy = (prototype: object) => ({
  bufferOf: getterOf<ArrayBufferLike>(prototype, "buffer"),
  lengthOf: getterOf<number>(prototype, "byteLength"),
  offsetOf: getterOf<number>(prototype, "byteOffset")
})
const ofDataView = extentBy(DataView.prototype)
const ofTypedArray = extentBy(typedArray)

/** The real extent of a view of that kind, whatever its class or own fields say. */
export const extentOf = (
  kind: number,
  view: ArrayBufferView
): { readonly buffer: ArrayBufferLike; readonly offset: number; readonly length: number } => {
  const { bufferOf, lengthOf, offsetOf } = kind === DataViewKind ? ofDataView : ofTypedArray
  return { buffer: bufferOf.call(view), offset: offsetOf.call(view), length: lengthOf.call(view) }
}

export const lengthOfBuffer = getterOf<number>(ArrayBuffer.prototype, "byteLength")
const isResizable = getterOf<boolean>(ArrayBuffer.prototype, "resizable")
const isDetached = getterOf<boolean>(ArrayBuffer.prototype, "detached")

/** Whether a buffer is nothing but bytes: not shared, of fixed length, not detached, and of no subclass. */
export const isOrdinary = (buffer: object): buffer is ArrayBuffer =>
  buffer instanceof ArrayBuffer && !isResizable.call(buffer) && !isDetached.call(buffer) &&
  buffer.constructor === ArrayBuffer

/** A view of that kind over the whole buffer, or the buffer. */
export const viewOf = (kind: number, buffer: ArrayBuffer): object => {
  if (kind === BufferKind) return buffer
  return new views[kind]!(buffer)
}
