/** Pool threads load this module. */
import { Task } from "effect-blocking"
import * as Result from "effect/Result"
import { SyncHttp } from "./syncHttp.ts"

const http = Task.threadLocal(() => new SyncHttp(), { release: (http) => http.close() })

/** Gets a text, and blocks its thread meanwhile. */
export const get = Task.make(import.meta.url, "get", (url: string) => {
  const { body, status } = http().get(url)
  return status === 200 ? Result.succeed(body) : Result.fail({ _tag: "BadStatus", status } as const)
})
