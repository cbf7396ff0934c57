/**
 * The loop of a pool thread: takes tasks from the port, runs their bodies, and sends
 * back what became of them.
 */
import type { ThreadPlatform, ThreadRunner } from "../../ThreadRunner.ts"
import { compact, explain, findUncloneable, NotCloneableError, refuseLost } from "../wire/cloneable.ts"
import * as controlBlock from "../wire/controlBlock.ts"
import { takeMoved } from "../wire/moved.ts"
import * as protocol from "../wire/protocol.ts"
import { encodeFailure, encodeThrown } from "../wire/thrown.ts"
import { type Registration, type SimulatedContext, threadContext, within } from "./context.ts"

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

/** Starts the loop in a new thread. */
export const start = (platform: ThreadPlatform): ThreadRunner => {
  const { control: memory, measureHeap, preload, threadData } = platform.start as protocol.ThreadStart
  const control = controlBlock.view(memory)
  let simulated: SimulatedContext | undefined
  if (platform.simulation === undefined) {
    threadContext.control = control.int32
    threadContext.threadData = threadData
  } else {
    const { onCheck } = platform.simulation
    simulated = { control: control.int32, refresh: onCheck, threadData, locals: new Map(), releases: [] }
  }
  const runner = new Runner(platform, control, measureHeap, simulated)
  void runner.preload(preload)
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
  /** Its context, if it is not the whole JavaScript thread's. */
  private readonly simulated: SimulatedContext | undefined

  constructor(
    platform: ThreadPlatform,
    control: controlBlock.ControlBlock,
    measureHeap: boolean,
    simulated: SimulatedContext | undefined
  ) {
    this.platform = platform
    this.control = control
    this.measureHeap = measureHeap
    this.simulated = simulated
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
    const received = message as protocol.ToThread
    switch (received[0]) {
      case protocol.Define: {
        const [, index, module, name] = received
        this.entries[index] = { module, name, state: "unknown", run: unloaded, failure: undefined }
        break
      }
      case protocol.Run: {
        this.inbox.push(received)
        if (!this.serving) this.serve()
        break
      }
      case protocol.Retire: {
        this.retiring = true
        if (!this.serving) this.retire()
      }
    }
  }

  readonly onUncaught = (error: unknown): void => {
    this.platform.post([protocol.Uncaught, encodeThrown(error, threadContext.clone), this.lastTask], undefined)
  }

  // Works off the inbox. Only a module that has to be loaded interrupts it: then the
  // loop goes on when that has ended, and messages that arrive meanwhile wait.
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
      args ??= controlBlock.argumentsOf(this.control, sequence)!
      if (entry.state === "unknown") {
        this.tell()
        this.resolve(entry).then(() => {
          const held = this.execute(sequence, entry, args)
          if (held === undefined) this.serve()
          else void held.then(() => this.serve())
        })
        return
      }
      // Nothing to wait for: a simulated thread, which can be held, resolves each of its entries.
      this.execute(sequence, entry, args)
    }
    if (this.measureHeap) controlBlock.setHeap(this.control, this.platform.heapUsed())
    this.tell()
    this.serving = false
    if (this.retiring) this.retire()
  }

  /** Runs a task, or passes on what has to be waited for before it has run. */
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
    const { simulation } = this.platform
    if (simulation !== undefined) {
      // Another body may be given for the next run.
      entry.state = "unknown"
      const { run } = entry
      const held = simulation.onBody(entry.module, entry.name)
      if (held !== undefined) {
        return held.then((reason) => {
          if (reason === undefined) this.call(sequence, run, args, startedAt)
          else this.post(sequence, protocol.Injected, reason, startedAt)
        })
      }
    }
    this.call(sequence, entry.run, args, startedAt)
    return undefined
  }

  private call(sequence: number, run: Entry["run"], args: Array<unknown>, startedAt: number): void {
    const { simulated } = this
    threadContext.current = sequence
    let status = protocol.Succeeded
    let value: unknown
    try {
      value = simulated === undefined ? run(args) : within(simulated, sequence, () => run(args))
      threadContext.current = 0
      if (controlBlock.keep(this.control, sequence, value)) {
        const now = this.platform.now()
        controlBlock.end(this.control, sequence, startedAt, now)
        this.endedAt = now
        if (this.untoldSince === 0) this.untoldSince = now
        else if (now - this.untoldSince > progressMillis) this.tell()
        return
      }
      if (typeof value === "object" && value !== null) {
        if (ResultTypeId in value) {
          const result = value as unknown as ResultLike
          if (result._tag === "Success") {
            value = result.success
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

  /** Ends a task and posts its outcome, at once: what is not in the control block would die with the thread. */
  private post(sequence: number, status: number, value: unknown, startedAt: number): void {
    controlBlock.willPost(this.control, sequence)
    controlBlock.end(this.control, sequence, startedAt, this.platform.now())
    this.untoldSince = 0
    try {
      this.platform.post([protocol.Progress, sequence, status, value], takeMoved(value))
    } catch (error) {
      this.platform.post([protocol.Progress, sequence, ...instead(status, value, error)], undefined)
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
      const stub = this.platform.simulation?.stub(entry.module, entry.name)
      entry.run = await bodyOf(stub === undefined ? registration : { ...registration, body: stub })
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
    const { simulated } = this
    const { releases } = simulated ?? threadContext
    while (releases.length > 0) {
      const release = releases.pop()!
      try {
        if (simulated === undefined) release()
        else within(simulated, 0, release)
      } catch (error) {
        this.onUncaught(error)
      }
    }
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

const bodyOf = async ({ body, schemas }: Registration): Promise<Entry["run"]> => {
  const call = body as (...args: Array<unknown>) => unknown
  if (schemas === undefined) return (args) => call(...args)
  // The task's module has loaded `effect/Schema` already: no other thread pays for it.
  const { threadCodec } = await import("../wire/codec.ts")
  const { decodeArguments, encodeResult } = threadCodec(schemas)
  return (args) => encodeResult(call(...decodeArguments(args)))
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

/** Where a message has the first posted arguments. */
const firstPosted = 3

const progress: protocol.ProgressMessage = [protocol.Progress]
