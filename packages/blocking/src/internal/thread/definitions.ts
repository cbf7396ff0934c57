/** The tasks that the scheduler has defined in this thread. The module with a task's body is loaded on its first run. */
import type { BodyStrategy, ThreadPlatform } from "../../ThreadRunner.ts"
import { describe } from "../wire/cloneable.ts"
import type { LoopKind } from "../wire/loops.ts"
import type * as protocol from "../wire/protocol.ts"
import { encodeThrown } from "../wire/thrown.ts"
import { type Registration, threadContext } from "./context.ts"
import { Coroutine } from "./coroutine.ts"
import { Input } from "./input.ts"
import type { LoopEnvironment } from "./loops.ts"

/** A task that the scheduler has defined in this thread, and its body once its module is loaded. */
export interface Definition {
  readonly module: string
  readonly name: string
  /** The kind of loop that it is run as, over many items. */
  readonly loop: LoopKind | undefined
  state: "unknown" | "ready" | "failed"
  run: (args: Array<unknown>) => unknown
  failure: protocol.LoadFailure | undefined
}

export class Definitions {
  private readonly definitions: Array<Definition> = []
  private readonly modules = new Map<string, Promise<protocol.LoadFailure | undefined>>()
  private readonly platform: ThreadPlatform
  private readonly bodies: BodyStrategy
  private readonly loops: LoopEnvironment

  constructor(platform: ThreadPlatform, bodies: BodyStrategy, loops: LoopEnvironment) {
    this.platform = platform
    this.bodies = bodies
    this.loops = loops
  }

  add(index: number, module: string, name: string, loop: LoopKind | undefined): void {
    this.definitions[index] = { module, name, loop, state: "unknown", run: unloaded, failure: undefined }
  }

  get(index: number): Definition {
    return this.definitions[index]!
  }

  /** Finds the body of a task, and loads its module if necessary. */
  async resolve(definition: Definition): Promise<void> {
    const failure = await this.load(definition.module)
    const registered = threadContext.modules.get(definition.module)
    const registration = registered?.get(definition.name)
    if (failure !== undefined || registration === undefined) {
      definition.failure = failure ?? { cause: undefined, names: Array.from(registered?.keys() ?? []) }
      definition.state = "failed"
      return
    }
    try {
      const body = this.bodies.find(definition.module, definition.name, registration.body)
      definition.run = definition.loop === undefined
        ? await callable(body, registration)
        : await loop(definition.loop, body, registration, this.loops, definition.run === unloaded)
      definition.state = "ready"
    } catch (error) {
      definition.failure = { cause: encodeThrown(error, threadContext.clone), names: Array.from(registered!.keys()) }
      definition.state = "failed"
    }
  }

  /** Imports a module once. A failure is not cached: the file may be mended before the next task. */
  load(module: string): Promise<protocol.LoadFailure | undefined> {
    let loading = this.modules.get(module)
    if (loading === undefined) {
      loading = this.platform.load(module).then(
        () => undefined,
        (error: unknown) => {
          this.modules.delete(module)
          const names = Array.from(threadContext.modules.get(module)?.keys() ?? [])
          return {
            cause: encodeThrown(error ?? new Error(`The module threw ${String(error)}`), threadContext.clone),
            names
          }
        }
      )
      this.modules.set(module, loading)
    }
    return loading
  }
}

const unloaded = (): never => {
  throw new Error("effect-blocking: a body was run before its module was loaded")
}

/** `wire/thrown.ts` cuts stacks at this function's name: the frames below mean nothing to the author of the body. */
const effectBlockingBody = (body: (...args: Array<unknown>) => unknown, args: ReadonlyArray<unknown>): unknown =>
  body(...args)

const callable = async (
  body: Registration["body"],
  { kind, schemas }: Registration
): Promise<Definition["run"]> => {
  const call = body as (...args: Array<unknown>) => unknown
  if (kind === "stream") return (args) => new Coroutine(generatorOf(effectBlockingBody(call, args)), undefined)
  if (kind === "pipe") {
    return (args) => {
      const input = new Input()
      return new Coroutine(generatorOf(effectBlockingBody(call, [input, ...args])), input)
    }
  }
  if (kind === "sink") {
    return (args) => {
      const input = new Input()
      try {
        return effectBlockingBody(call, [input, ...args])
      } finally {
        input.close()
      }
    }
  }
  if (schemas === undefined) return (args) => effectBlockingBody(call, args)
  // Imported here, so that only threads whose task module has loaded `effect/Schema` pay for it.
  const { threadCodec } = await import("../wire/codec.ts")
  const { attemptOf, decodeArguments, encodeResult } = threadCodec(schemas)
  return (args) => {
    // A body that runs inside of another has its own attempt number.
    const before = threadContext.attempt
    threadContext.attempt = attemptOf(args)
    try {
      return encodeResult(effectBlockingBody(call, decodeArguments(args)))
    } finally {
      threadContext.attempt = before
    }
  }
}

/** Imported on demand, so that only threads that run loops pay for it. */
const loop = async (
  kind: LoopKind,
  body: Registration["body"],
  { schemas }: Registration,
  environment: LoopEnvironment,
  isFirst: boolean
): Promise<Definition["run"]> => {
  const { loopOf } = await import("./loops.ts")
  const call = body as (...args: Array<unknown>) => unknown
  if (schemas === undefined) return loopOf(kind, call, undefined, environment, isFirst)
  const { threadCodec } = await import("../wire/codec.ts")
  return loopOf(kind, call, threadCodec(schemas), environment, isFirst)
}

const generatorOf = (returned: unknown): Iterator<unknown, unknown> => {
  if (typeof returned === "object" && returned !== null && "next" in returned && Symbol.iterator in returned) {
    return returned as unknown as Iterator<unknown, unknown>
  }
  throw new TypeError(
    `The body of a stream or pipe is a generator function: write function*. It returned ${describe(returned)}`
  )
}
