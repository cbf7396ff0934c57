/** Events of a scheduler that are logged. */
import type { JoinError } from "../../JoinError.ts"
import type { ThreadExit } from "../../ThreadHost.ts"
import type { StopStep } from "./ladder.ts"
import type { StopBy } from "./run.ts"

export type SchedulerEvent =
  | { readonly _tag: "ThreadWedged"; readonly threadId: number; readonly millis: number }
  | {
    readonly _tag: "UncaughtError"
    readonly threadId: number
    readonly task: string | undefined
    readonly error: unknown
  }
  | { readonly _tag: "UncaughtErrors"; readonly threadId: number; readonly more: number }
  | { readonly _tag: "UnreadPanic"; readonly error: JoinError }
  | { readonly _tag: "ListenerFailed"; readonly task: string; readonly error: unknown }
  | { readonly _tag: "PreloadFailed"; readonly module: string; readonly cause: unknown }
  | { readonly _tag: "NoThreads"; readonly attempts: number; readonly cause: unknown }
  | { readonly _tag: "ReleaseCut"; readonly threadId: number }
  | { readonly _tag: "StartFailed"; readonly attempt: number; readonly cause: unknown }
  | { readonly _tag: "ThreadLost"; readonly threadId: number; readonly exit: ThreadExit }
  | { readonly _tag: "ThreadAbandoned"; readonly threadId: number; readonly task: string | undefined }
  | { readonly _tag: "StuckLimit"; readonly stuck: number; readonly places: number }
  | { readonly _tag: "HeldUp"; readonly task: string; readonly threads: number }
  | {
    readonly _tag: "Stop"
    readonly step: StopStep
    readonly by: StopBy
    readonly threadId: number
    readonly task: string
  }
