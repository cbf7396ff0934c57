/** The requests of the client, and checks of their answers. */
import { Schema } from "effect"
import { HttpClientRequest } from "effect/http"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { brotliDecompressSync } from "node:zlib"
import { bundleFile, sourcesDirectory } from "./files.ts"

export interface Exchange {
  readonly name: string
  readonly request: HttpClientRequest.HttpClientRequest
  readonly status: number
  /** Whether the body is right, checked without the server. */
  readonly verify: (body: Buffer) => boolean
}

export const ping: Exchange = {
  name: "/ping",
  request: HttpClientRequest.get("/ping"),
  status: 200,
  verify: (body) => body.toString() === "pong"
}

const postLogin = (password: string) =>
  HttpClientRequest.post("/login").pipe(HttpClientRequest.bodyJsonUnsafe({ user: "ada", password }))

const Found = Schema.fromJsonString(Schema.NonEmptyArray(Schema.Struct({ path: Schema.String, hits: Schema.Int })))

const text = "Effect.gen(function*"

export const heavy: ReadonlyArray<Exchange> = [
  {
    name: "/login",
    request: postLogin("correct horse battery staple"),
    status: 200,
    verify: (body) => body.toString() === `{"user":"ada"}`
  },
  {
    name: "/login (wrong password)",
    request: postLogin("incorrect horse"),
    status: 401,
    verify: (body) => body.toString() === `{"_tag":"WrongPassword","user":"ada"}`
  },
  {
    name: "/search",
    request: HttpClientRequest.get("/search", { urlParams: { q: text } }),
    status: 200,
    verify: (body) =>
      Schema.decodeSync(Found)(body.toString()).every(({ hits, path }) =>
        readFileSync(join(sourcesDirectory, path), "utf8").split(text).length - 1 === hits
      )
  },
  {
    name: "/bundle",
    request: HttpClientRequest.get("/bundle"),
    status: 200,
    verify: (body) => brotliDecompressSync(body).equals(readFileSync(bundleFile))
  }
]
