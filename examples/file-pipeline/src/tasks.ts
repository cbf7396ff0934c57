/** The blocking work, as tasks. Pool threads load this module, so it imports only what they need. */
import { Task } from "effect-blocking"
import * as Result from "effect/Result"
import { hash } from "node:crypto"
import { stripTypeScriptTypes } from "node:module"
import { brotliCompressSync, brotliDecompressSync, constants } from "node:zlib"

const utf8 = new TextDecoder("utf-8", { fatal: true })

const strip = (source: Uint8Array) => {
  try {
    return Result.succeed(stripTypeScriptTypes(utf8.decode(source)))
  } catch (error) {
    // The file is not TypeScript, or not text. Any other error is a bug, and arrives as a panic.
    if (error instanceof SyntaxError || error instanceof TypeError) {
      return Result.fail({ _tag: "NotTypeScript", message: error.message } as const)
    }
    throw error
  }
}

const params = { [constants.BROTLI_PARAM_QUALITY]: 9 }

/** Turns TypeScript into compressed JavaScript. Returns it with the hash of the uncompressed code. */
export const build = Task.make(import.meta.url, "build", (source: Uint8Array) =>
  Result.map(strip(source), (code) => {
    const compressed: Uint8Array = brotliCompressSync(code, { params })
    return { compressed: Task.move(compressed), sha256: hash("sha256", code) }
  }))

/** Returns the hash of the content of a compressed file. */
export const unpack = Task.make(
  import.meta.url,
  "unpack",
  (compressed: Uint8Array) => hash("sha256", brotliDecompressSync(compressed))
)
