/** Awaits, detaches and aborts a task, queued and running. The pool has one thread: a second task is queued. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { Console, Effect, type Scope } from "effect"
import { Blocking, type JoinError, type JoinHandle } from "effect-blocking"
import * as Signal from "../signal.ts"
import { spin, spinPolitely, wait } from "./tasks.ts"

type Handle = JoinHandle.JoinHandle<string | void>

const counted = (signal: Int32Array) => Effect.promise(() => Signal.counted(signal))

/** Spawns in a scope, and closes the scope when the body has begun. */
const inScope = (
  spawn: (begun: Int32Array) => Effect.Effect<Handle, JoinError.JoinError, Blocking.Blocking | Scope.Scope>
) =>
  Effect.suspend(() => {
    const begun = Signal.make()
    return Effect.scoped(Effect.tap(spawn(begun), () => counted(begun)))
  })

/** The value of a task, or where and how it was cancelled. */
const outcome = (handle: Handle) =>
  handle.join.pipe(
    Effect.map(String),
    Effect.catchReason("JoinError", "Cancelled", ({ stage, stopped = "never ran" }) =>
      Effect.succeed(`Cancelled, ${stage}, ${stopped}`))
  )

const awaited = Effect.gen(function*() {
  const letGo = Signal.make()
  const handle = yield* Blocking.spawnDetached(wait, Signal.make(), letGo)
  Signal.count(letGo)
  return yield* outcome(handle)
})

const detached = Effect.gen(function*() {
  const letGo = Signal.make()
  const handle = yield* inScope((begun) => Blocking.spawnDetached(wait, begun, letGo))
  const { _tag } = yield* handle.status
  Signal.count(letGo)
  return `${_tag}, then ${yield* outcome(handle)}`
})

const scoped = Effect.flatMap(inScope((begun) => Blocking.spawn(wait, begun, Signal.make())), outcome)

const abortedWhileQueued = Effect.gen(function*() {
  const letGo = Signal.make()
  const running = yield* inScope((begun) => Blocking.spawnDetached(wait, begun, letGo))
  const queued = yield* Blocking.spawnDetached(wait, Signal.make(), letGo)
  yield* queued.abort
  Signal.count(letGo)
  yield* running.join
  return yield* outcome(queued)
})

const abortedWhileRunning = Effect.fn("abortedWhileRunning")(function*(task: typeof spin) {
  const handle = yield* inScope((begun) => Blocking.spawnDetached(task, begun))
  yield* handle.abort
  return yield* outcome(handle)
})

export const program = Effect.gen(function*() {
  const outcomes = {
    "awaited": yield* awaited,
    "detached, its scope closed": yield* detached,
    "spawned, its scope closed": yield* scoped,
    "aborted while queued": yield* abortedWhileQueued,
    "aborted in an endless loop": yield* abortedWhileRunning(spin),
    "aborted between checkpoints": yield* abortedWhileRunning(spinPolitely)
  }
  yield* Effect.forEach(Object.entries(outcomes), ([what, outcome]) => Console.log(`${what.padEnd(29)}${outcome}`))
  return outcomes
}).pipe(Effect.provide(NodeBlocking.layer({ maxThreads: 1 })))
