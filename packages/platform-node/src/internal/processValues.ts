/**
 * How values cross between two processes: as a structured clone writes them, but for
 * what only the threads of one process can share or hand over.
 *
 * Pool processes load this file.
 */
import { deserialize, Serializer } from "node:v8"

class ValueSerializer extends Serializer {
  _writeHostObject(object: object): never {
    throw new TypeError(`a ${object.constructor?.name ?? "native object"} cannot be sent to another process`)
  }

  _getSharedArrayBufferId(): never {
    throw new TypeError("a SharedArrayBuffer cannot be shared with another process")
  }
}

/** Throws for what cannot cross. */
export const encode = (value: unknown): Uint8Array => {
  const serializer = new ValueSerializer()
  serializer.writeHeader()
  serializer.writeValue(value)
  return serializer.releaseBuffer()
}

export const decode = (bytes: Uint8Array): unknown => deserialize(bytes)

/** A move is a copy here; the sender is left without all the same. */
export const detach = (transfer: Array<object>): void => {
  structuredClone(undefined, { transfer: transfer as Array<ArrayBuffer> })
}
