/**
 * The loop of a pool thread: takes tasks from the port, runs their bodies, and sends
 * back what became of them.
 */
import type { BodyContext, BodyStrategy, ThreadPlatform, ThreadRunner } from "../../ThreadRunner.ts"
import { compact, explain, findUncloneable, NotCloneableError, refuseLost } from "../wire/cloneable.ts"
import * as controlBlock from "../wire/controlBlock.ts"
import { findMoved, transferables, transferring } from "../wire/moved.ts"
import { PayloadMemory } from "../wire/payload.ts"
import { PayloadReader } from "../wire/payloadReader.ts"
import * as protocol from "../wire/protocol.ts"
import { ResultWriter } from "../wire/resultRing.ts"
import { encodeFailure, encodeThrown } from "../wire/thrown.ts"
import * as Version from "../wire/version.ts"
import { wholeThread } from "./bodies.ts"
import { conflict, type Registration, threadContext } from "./context.ts"
import { UncaughtErrors } from "./uncaught.ts"

/** How long a result may wait for the ones behind it before the scheduler is told. Arbitrary: well under a timer tick. */
const progressMillis = 0.3

const ResultTypeId = "~effect/Result"
const EffectTypeId = "~effect/Effect"

interface ResultLike {
  readonly _tag: "Success" | "Failure"
  readonly success: unknown
  readonly failure: unknown
}

/** A task that the scheduler has defined in this thread, and its body once its module is loaded. */
interface Entry {
  readonly module: string
  readonly name: string
  state: "unknown" | "ready" | "failed"
  run: (args: Array<unknown>) => unknown
  failure: protocol.LoadFailure | undefined
}

/** Starts the loop in a new thread. Throws if the scheduler is another version, or tasks were defined by one. */
export const start = (platform: ThreadPlatform): ThreadRunner => {
  const { control: memory, measureHeap, preload, results, threadData, version } = platform.start as protocol.ThreadStart
  const refusal = Version.conflict(Version.current, version) ?? conflict
  // As `ThreadHost.CannotStart`, which loads what a thread does not need.
  if (refusal !== undefined) throw Object.assign(new Error(refusal), { _tag: "CannotStart" })
  const control = controlBlock.view(memory)
  const bodies = platform.bodies ?? wholeThread
  const context = bodies.begin(control.int32, threadData)
  const runner = new Runner(platform, control, results, measureHeap, bodies, context)
  runner.preload(preload).catch(runner.abort)
  return runner
}

class Runner implements ThreadRunner {
  private readonly entries: Array<Entry> = []
  private readonly modules = new Map<string, Promise<protocol.LoadFailure | undefined>>()
  /** Batches not yet worked off. */
  private readonly inbox: Array<protocol.RunMessage> = []
  /** The next task of the first batch, and where its message has the next posted arguments. */
  private offset = 0
  private cursor = firstPosted
  private serving = false
  private retiring = false
  /** When the oldest task ended that the scheduler has not been told of; 0 for none. */
  private untoldSince = 0
  /** When the last task ended, if nothing but the next one has come since; 0 otherwise. Spares it one look at the clock. */
  private endedAt = 0
  private lastTask: string | undefined
  private readonly platform: ThreadPlatform
  private readonly control: controlBlock.ControlBlock
  private readonly measureHeap: boolean
  private readonly bodies: BodyStrategy
  private readonly context: BodyContext
  private readonly uncaught: UncaughtErrors
  /** The memory in which arguments lie. */
  private readonly chunks: Array<PayloadMemory | undefined> = []
  private readonly reader = new PayloadReader()
  private readonly results: ResultWriter | undefined

  constructor(
    platform: ThreadPlatform,
    control: controlBlock.ControlBlock,
    results: SharedArrayBuffer | undefined,
    measureHeap: boolean,
    bodies: BodyStrategy,
    context: BodyContext
  ) {
    this.platform = platform
    this.control = control
    this.measureHeap = measureHeap
    this.bodies = bodies
    this.context = context
    if (results !== undefined && platform.payloads !== undefined) {
      this.results = new ResultWriter(results, controlBlock.ringRead(control), platform.payloads)
    }
    this.uncaught = new UncaughtErrors((message) => platform.post(message, undefined), platform.now)
  }

  async preload(modules: ReadonlyArray<string>): Promise<void> {
    const failures: Array<protocol.PreloadFailure> = []
    for (const module of modules) {
      const failure = await this.load(module)
      if (failure !== undefined) failures.push({ module, ...failure })
    }
    this.platform.post([protocol.Ready, failures], undefined)
  }

  readonly onMessage = (message: unknown): void => {
    try {
      this.receive(message as protocol.ToThread)
    } catch (error) {
      this.abort(error)
    }
  }

  readonly onUncaught = (error: unknown): void => {
    try {
      this.uncaught.tell(error, this.lastTask)
    } catch (failed) {
      this.abort(failed)
    }
  }

  /**
   * Ends the thread after an error of its own: a body has broken what the loop needs, such as
   * `Atomics`. The tasks that it has would otherwise wait for ever.
   */
  readonly abort = (error: unknown): void => {
    if (this.platform.abort === undefined) throw error
    this.platform.abort(error)
  }

  private receive(message: protocol.ToThread): void {
    switch (message[0]) {
      case protocol.Define: {
        const [, index, module, name] = message
        this.entries[index] = { module, name, state: "unknown", run: unloaded, failure: undefined }
        break
      }
      case protocol.Run: {
        this.inbox.push(message)
        if (!this.serving) this.serve()
        break
      }
      case protocol.Chunk: {
        const [, index, memory] = message
        this.chunks[index] = memory && new PayloadMemory(memory, this.platform.payloads!)
        break
      }
      case protocol.Retire: {
        this.retiring = true
        if (!this.serving) this.retire()
      }
    }
  }

  // Works off the inbox. Only a module that has to be loaded and a body that is not admitted
  // yet interrupt it: then the loop goes on afterwards, and messages that arrive meanwhile wait.
  private serve(): void {
    this.serving = true
    while (true) {
      const batch = this.inbox[0]
      if (batch === undefined) break
      if (this.offset === batch[2]) {
        this.inbox.shift()
        this.offset = 0
        this.cursor = firstPosted
        continue
      }
      const sequence = controlBlock.plus(batch[1], this.offset)
      let args: Array<unknown> | undefined
      if (batch[this.cursor] === this.offset) {
        args = batch[this.cursor + 1] as Array<unknown>
        batch[this.cursor + 1] = undefined
        this.cursor += 2
      }
      this.offset++
      // CLAIM: from here on the task is this thread's, its loading included.
      if (!controlBlock.claim(this.control, sequence)) {
        controlBlock.skip(this.control, sequence)
        this.untoldSince ||= this.platform.now()
        continue
      }
      const entry = this.entries[controlBlock.taskOf(this.control, sequence)]!
      try {
        args ??= this.argumentsOf(sequence)
      } catch (error) {
        this.post(sequence, protocol.NotCloneable, { side: "argument", path: "arguments", detail: explain(error) }, 0)
        continue
      }
      if (entry.state === "unknown") {
        this.tell()
        this.resolve(entry).then(() => this.serveAfter(this.execute(sequence, entry, args))).catch(this.abort)
        return
      }
      const admitted = this.execute(sequence, entry, args)
      if (admitted !== undefined) return this.serveAfter(admitted)
    }
    if (this.measureHeap) controlBlock.setHeap(this.control, this.platform.heapUsed())
    this.tell()
    this.serving = false
    if (this.retiring) this.retire()
  }

  private argumentsOf(sequence: number): Array<unknown> {
    const { control } = this
    const chunk = controlBlock.chunkOf(control, sequence)
    if (chunk < 0) return controlBlock.argumentsOf(control, sequence)!
    return this.reader.read(this.chunks[chunk]!, controlBlock.argumentsAt(control, sequence)) as Array<unknown>
  }

  private serveAfter(admitted: Promise<void> | undefined): void {
    if (admitted === undefined) this.serve()
    else admitted.then(() => this.serve()).catch(this.abort)
  }

  /** Runs a task. A promise: it has not run before that resolves. */
  private execute(sequence: number, entry: Entry, args: Array<unknown>): Promise<void> | undefined {
    if (entry.state === "failed") {
      // The next task of this module tries again: the failure may have been passing.
      entry.state = "unknown"
      this.post(sequence, protocol.NotLoaded, entry.failure, 0)
      return undefined
    }
    const startedAt = this.endedAt || this.platform.now()
    this.endedAt = 0
    controlBlock.enter(this.control, sequence, startedAt)
    this.platform.onEnter?.(sequence, startedAt)
    // Looked at only now: whoever raises the flag and does not see the body entered can
    // rely on it that it never will be.
    if (controlBlock.isStopRequested(this.control.int32, sequence)) {
      this.post(sequence, protocol.Stopped, undefined, 0)
      return undefined
    }
    this.lastTask = entry.name
    const { run } = entry
    if (!this.bodies.reused) entry.state = "unknown"
    const admitted = this.bodies.admit(entry.module, entry.name)
    if (admitted !== undefined) {
      return admitted.then((reason) => {
        if (reason === undefined) this.call(sequence, run, args, startedAt)
        else this.post(sequence, protocol.Injected, reason, startedAt)
      })
    }
    this.call(sequence, run, args, startedAt)
    return undefined
  }

  private call(sequence: number, run: Entry["run"], args: Array<unknown>, startedAt: number): void {
    threadContext.current = sequence
    threadContext.moved = undefined
    let status = protocol.Succeeded
    let value: unknown
    try {
      value = this.bodies.call(sequence, run, args)
      threadContext.current = 0
      if (this.keep(sequence, value, startedAt)) return
      if (typeof value === "object" && value !== null) {
        if (ResultTypeId in value) {
          const result = value as unknown as ResultLike
          if (result._tag === "Success") {
            value = result.success
            if (this.keep(sequence, value, startedAt)) return
          } else {
            const encoded = encodeFailure(result.failure, threadContext.clone)
            status = "value" in encoded ? protocol.Failed : protocol.NotCloneable
            value = "value" in encoded ? encoded.value : { side: "failure", ...encoded }
          }
        } else if (EffectTypeId in value && !(value instanceof Error)) {
          // A clone of it would arrive, which is none.
          status = protocol.NotCloneable
          value = { side: "success", path: "result", detail: effectReturned } satisfies protocol.NotCloneableValue
        }
      }
      if (status === protocol.Succeeded) {
        refuseLost(value, "success", "result")
        value = compact(value)
      }
    } catch (thrown) {
      threadContext.current = 0
      if (isNotCloneable(thrown)) {
        status = protocol.NotCloneable
        value = { side: thrown.side, path: thrown.path, detail: thrown.message }
      } else if (isStopRequest(thrown) && controlBlock.isStopRequested(this.control.int32, sequence)) {
        status = protocol.Stopped
        value = undefined
      } else {
        status = protocol.Panicked
        value = encodeThrown(thrown, threadContext.clone)
      }
    }
    this.post(sequence, status, value, startedAt)
  }

  /** Ends a task and leaves its result in shared memory. `false`: it has to be posted. */
  private keep(sequence: number, value: unknown, startedAt: number): boolean {
    const { control, results } = this
    if (!controlBlock.keep(control, sequence, value)) {
      if (results === undefined || threadContext.moved !== undefined) return false
      const at = results.write(value)
      if (at < 0) return false
      if (results.parts.length > 0) {
        controlBlock.keepAt(control, sequence, controlBlock.Posted, at)
        controlBlock.end(control, sequence, startedAt, this.platform.now())
        this.untoldSince = 0
        this.platform.post([protocol.Progress, sequence, protocol.SucceededInParts, results.parts], results.parts)
        return true
      }
      controlBlock.keepAt(control, sequence, controlBlock.InRing, at)
    }
    threadContext.moved = undefined
    const now = this.platform.now()
    controlBlock.end(control, sequence, startedAt, now)
    this.endedAt = now
    if (this.untoldSince === 0) this.untoldSince = now
    else if (now - this.untoldSince > progressMillis) this.tell()
    return true
  }

  /** Ends a task and posts its outcome, at once: what is not in the control block would die with the thread. */
  private post(sequence: number, status: number, value: unknown, startedAt: number): void {
    controlBlock.willPost(this.control, sequence)
    controlBlock.end(this.control, sequence, startedAt, this.platform.now())
    this.untoldSince = 0
    const { moved } = threadContext
    threadContext.moved = undefined
    const message = [protocol.Progress, sequence, status, value] as const
    let values: Set<object> | undefined
    try {
      if (moved !== undefined) values = findMoved(value, moved)
      this.platform.post(message, values && transferables(values))
    } catch (error) {
      // Not all of it can be transferred: the rest is copied.
      if (values !== undefined && this.tryPost(message, transferring(values))) return
      this.platform.post([protocol.Progress, sequence, ...instead(status, value, error)], undefined)
    }
  }

  private tryPost(message: protocol.ProgressMessage, transfer: Array<object>): boolean {
    try {
      this.platform.post(message, transfer)
      return true
    } catch {
      return false
    }
  }

  /** Tells the scheduler of tasks that have ended since it was last told. */
  private tell(): void {
    if (this.untoldSince === 0) return
    this.untoldSince = 0
    this.endedAt = 0
    this.platform.post(progress, undefined)
  }

  /** Finds the body of an entry, loading its module if this thread has not. */
  private async resolve(entry: Entry): Promise<void> {
    const failure = await this.load(entry.module)
    const registered = threadContext.modules.get(entry.module)
    const registration = registered?.get(entry.name)
    if (failure !== undefined || registration === undefined) {
      entry.failure = failure ?? { cause: undefined, names: Array.from(registered?.keys() ?? []) }
      entry.state = "failed"
      return
    }
    try {
      const body = this.bodies.find(entry.module, entry.name, registration.body)
      entry.run = await callable(body, registration.schemas)
      entry.state = "ready"
    } catch (error) {
      entry.failure = { cause: encodeThrown(error, threadContext.clone), names: Array.from(registered!.keys()) }
      entry.state = "failed"
    }
  }

  /** Imports a module once. A failure is not kept: the next task may find the file mended. */
  private load(module: string): Promise<protocol.LoadFailure | undefined> {
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

  private retire(): void {
    const { releases } = this.context
    while (releases.length > 0) {
      const release = releases.pop()!
      try {
        this.bodies.call(0, release, noArguments)
      } catch (error) {
        this.onUncaught(error)
      }
    }
    this.uncaught.flush()
    this.platform.post([protocol.Released], undefined)
    this.platform.exit()
  }
}

/** What is told of an outcome that could not be posted. A panic stays one. */
const instead = (status: number, value: unknown, error: unknown): [status: number, value: unknown] => {
  if (status === protocol.Panicked) {
    return [status, encodeThrown(new Error(`The body threw what cannot be sent: ${explain(error)}`))]
  }
  const side = status === protocol.Failed ? "failure" : "success"
  const path = status === protocol.Failed ? "error" : "result"
  const found = status === protocol.Failed ? undefined : findUncloneable(value, path, threadContext.clone)
  const uncloneable: protocol.NotCloneableValue = { side, ...(found ?? { path, detail: explain(error) }) }
  return [protocol.NotCloneable, uncloneable]
}

const effectReturned = "an Effect cannot be sent to another thread: run it with Effect, or return its value"

const unloaded = (): never => {
  throw new Error("effect-blocking: a body was run before its module was loaded")
}

/** Stacks are cut at its name, in `wire/thrown.ts`: from here on they say nothing to the author of the body. */
const effectBlockingBody = (body: (...args: Array<unknown>) => unknown, args: ReadonlyArray<unknown>): unknown =>
  body(...args)

const callable = async (
  body: Registration["body"],
  schemas: Registration["schemas"]
): Promise<Entry["run"]> => {
  const call = body as (...args: Array<unknown>) => unknown
  if (schemas === undefined) return (args) => effectBlockingBody(call, args)
  // The task's module has loaded `effect/Schema` already: no other thread pays for it.
  const { threadCodec } = await import("../wire/codec.ts")
  const { decodeArguments, encodeResult } = threadCodec(schemas)
  return (args) => encodeResult(effectBlockingBody(call, decodeArguments(args)))
}

const isNotCloneable = (thrown: unknown): thrown is NotCloneableError => {
  try {
    return thrown instanceof NotCloneableError
  } catch {
    // A revoked proxy was thrown.
    return false
  }
}

const isStopRequest = (thrown: unknown): boolean => {
  try {
    return thrown instanceof Error && "_tag" in thrown && thrown._tag === "StopRequested"
  } catch {
    return false
  }
}

const noArguments: Array<unknown> = []

/** Where a message has the first posted arguments. */
const firstPosted = 3

const progress: protocol.ProgressMessage = [protocol.Progress]
