/**
 * The loop of a pool thread: takes tasks from the port, runs their bodies, and sends
 * back their outcomes.
 */
import type { BodyContext, BodyStrategy, ThreadPlatform, ThreadRunner } from "../../ThreadRunner.ts"
import { compact, explain, refuseLost } from "../wire/cloneable.ts"
import * as controlBlock from "../wire/controlBlock.ts"
import { findMoved, transferables, transferring } from "../wire/moved.ts"
import { PayloadMemory } from "../wire/payload.ts"
import { PayloadReader } from "../wire/payloadReader.ts"
import * as protocol from "../wire/protocol.ts"
import { ResultWriter } from "../wire/resultRing.ts"
import * as Version from "../wire/version.ts"
import { wholeThread } from "./bodies.ts"
import { Caller } from "./calls.ts"
import { conflict, threadContext } from "./context.ts"
import { type Advanced, Coroutine } from "./coroutine.ts"
import { type Definition, Definitions } from "./definitions.ts"
import { instead, located, type Outcome, whatReturned, whatThrew } from "./outcome.ts"
import { UncaughtErrors } from "./uncaught.ts"

/** How long a result may wait for the next ones before it is reported. Arbitrary: well under a timer tick. */
const progressMillis = 0.3

/** Starts the loop in a new thread. Throws if the scheduler, or the copy that defined tasks, has another version. */
export const start = (platform: ThreadPlatform): ThreadRunner => {
  const { control: memory, measureHeap, preload, results, threadData, version } = platform.start as protocol.ThreadStart
  const refusal = Version.conflict(Version.current, version) ?? conflict
  // The same tag as `ThreadHost.CannotStart`, whose module is not loaded in threads.
  if (refusal !== undefined) throw Object.assign(new Error(refusal), { _tag: "CannotStart" })
  const control = controlBlock.view(memory)
  const bodies = platform.bodies ?? wholeThread
  const context = bodies.begin(control.int32, threadData)
  const runner = new Runner(platform, control, results, measureHeap, bodies, context)
  runner.preload(preload).catch(runner.abort)
  return runner
}

class Runner implements ThreadRunner {
  private readonly definitions: Definitions
  /** Bodies that were left at a `yield`, by number. */
  private readonly coroutines = new Map<number, Coroutine>()
  private lastCoroutine = 0
  /** Batches that are not finished. */
  private readonly inbox: Array<protocol.RunMessage> = []
  /** The next task of the first batch, and the position of the next posted arguments in its message. */
  private offset = 0
  private cursor = firstPosted
  private serving = false
  private retiring = false
  /** When the oldest unreported task ended; 0 if all are reported. */
  private unreportedSince = 0
  /** When the last task ended, if the next one follows at once; 0 otherwise. Saves one read of the clock. */
  private endedAt = 0
  private lastTask: string | undefined
  private readonly platform: ThreadPlatform
  private readonly control: controlBlock.ControlBlock
  private readonly measureHeap: boolean
  private readonly bodies: BodyStrategy
  private readonly context: BodyContext
  private readonly uncaught: UncaughtErrors
  /** The memory for arguments. */
  private readonly chunks: Array<PayloadMemory | undefined> = []
  private readonly reader = new PayloadReader()
  private readonly results: ResultWriter | undefined
  private readonly caller: Caller

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
    this.definitions = new Definitions(platform, bodies, {
      control,
      now: platform.now,
      isStopRequested: () => {
        // With shared memory the flag is read directly: `refresh` also does work for bodies.
        if (platform.remote !== undefined) context.refresh?.()
        return controlBlock.isStopRequested(control.int32, threadContext.current)
      },
      onItem: (now) => {
        controlBlock.enter(control, threadContext.current, now)
        platform.remote?.onEnter(threadContext.current, now)
      }
    })
    if (results !== undefined && platform.payloads !== undefined) {
      this.results = new ResultWriter(results, controlBlock.ringRead(control), platform.payloads)
    }
    this.caller = context.caller = new Caller(platform, control, (message) => this.receive(message))
    this.uncaught = new UncaughtErrors((message) => platform.post(message, undefined), platform.now)
  }

  async preload(modules: ReadonlyArray<string>): Promise<void> {
    const failures: Array<protocol.PreloadFailure> = []
    for (const module of modules) {
      const failure = await this.definitions.load(module)
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
      this.uncaught.report(error, this.lastTask)
    } catch (failed) {
      this.abort(failed)
    }
  }

  /**
   * Ends the thread after an error in the loop itself: a body has broken something that it needs, such as
   * `Atomics`. Otherwise the thread's tasks would wait for ever.
   */
  readonly abort = (error: unknown): void => {
    if (this.platform.abort === undefined) throw error
    this.platform.abort(error)
  }

  private receive(message: protocol.ToThread): void {
    switch (message[0]) {
      case protocol.Define: {
        const [, index, module, name, loop] = message
        this.definitions.add(index, module, name, loop)
        break
      }
      case protocol.Run: {
        this.inbox.push(message)
        if (!this.serving) this.serve()
        break
      }
      case protocol.Answer: {
        this.caller.onAnswer(message)
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

  // Runs the batches of the inbox. Only a module that has to be loaded, or a body that is not admitted
  // yet, interrupts it: then it continues afterwards, and messages that arrive meanwhile wait.
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
      this.platform.remote?.onClaim(sequence)
      // CLAIM: from here on this thread owns the task, its loading included.
      if (!controlBlock.claim(this.control, sequence)) {
        controlBlock.skip(this.control, sequence)
        this.unreportedSince ||= this.platform.now()
        continue
      }
      const task = controlBlock.taskOf(this.control, sequence)
      if (task < 0) {
        const [id] = this.argumentsOf(sequence, args)
        const left = this.resume(sequence, this.coroutines.get(id as number)!, task === protocol.Close)
        if (left !== undefined) return this.serveAfter(left)
        continue
      }
      const entry = this.definitions.get(task)
      try {
        args = this.argumentsOf(sequence, args)
      } catch (error) {
        this.post(sequence, protocol.NotCloneable, { side: "argument", path: "arguments", detail: explain(error) }, 0)
        continue
      }
      if (entry.state === "unknown") {
        this.report()
        this.definitions.resolve(entry).then(() => this.serveAfter(this.execute(sequence, entry, args))).catch(
          this.abort
        )
        return
      }
      const admitted = this.execute(sequence, entry, args)
      if (admitted !== undefined) return this.serveAfter(admitted)
    }
    if (this.measureHeap) controlBlock.setHeap(this.control, this.platform.heapUsed())
    this.report()
    this.serving = false
    if (this.retiring) this.retire()
  }

  /** `posted`: the arguments, or buffers that were moved beside them. */
  private argumentsOf(sequence: number, posted: Array<unknown> | undefined): Array<unknown> {
    const { control } = this
    const { remote } = this.platform
    if (remote !== undefined) return remote.argumentsOf(sequence)
    const chunk = controlBlock.chunkOf(control, sequence)
    if (chunk < 0) return posted ?? controlBlock.argumentsOf(control, sequence)!
    const at = controlBlock.argumentsAt(control, sequence)
    return this.reader.read(this.chunks[chunk]!, at, posted as Array<ArrayBuffer> | undefined) as Array<unknown>
  }

  private serveAfter(admitted: Promise<void> | undefined): void {
    if (admitted === undefined) this.serve()
    else admitted.then(() => this.serve()).catch(this.abort)
  }

  /** Runs a task. If it returns a promise, the task ends when that resolves. */
  private execute(sequence: number, entry: Definition, args: Array<unknown>): Promise<void> | undefined {
    if (entry.state === "failed") {
      // The next task of this module tries again: the failure may have been temporary.
      entry.state = "unknown"
      this.post(sequence, protocol.NotLoaded, entry.failure, 0)
      return undefined
    }
    const startedAt = this.endedAt || this.platform.now()
    this.endedAt = 0
    controlBlock.enter(this.control, sequence, startedAt)
    this.platform.remote?.onEnter(sequence, startedAt)
    // Checked only after the entry: if the scheduler raises the flag and does not see the body
    // entered, the body will never run.
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
        if (reason === undefined) return this.call(sequence, run, args, startedAt)
        this.post(sequence, protocol.Injected, reason, startedAt)
        return undefined
      })
    }
    return this.call(sequence, run, args, startedAt)
  }

  /** Runs a body. If it returns a promise, some of its notifications are not handled yet, and the task ends when that resolves. */
  private call(
    sequence: number,
    run: Definition["run"],
    args: Array<unknown>,
    startedAt: number
  ): Promise<void> | undefined {
    threadContext.current = sequence
    threadContext.moved = undefined
    this.caller.unhandled = 0
    this.caller.stopped = false
    let status = protocol.Succeeded
    let value: unknown
    try {
      value = this.bodies.call(sequence, run, args)
      threadContext.current = 0
      if (value instanceof Coroutine) return this.advance(sequence, value, startedAt, false)
      const toHandle = this.caller.unhandled > 0
      if (!toHandle && this.keep(sequence, value, startedAt)) return undefined
      const returned = value
      ;[status, value] = whatReturned(returned)
      if (status === protocol.Succeeded) {
        if (value !== returned && !toHandle && this.keep(sequence, value, startedAt)) return undefined
        refuseLost(value, "success", "result")
        value = compact(value)
      }
    } catch (thrown) {
      threadContext.current = 0
      ;[status, value] = whatThrew(located(thrown, value), this.isAskedToStop(sequence))
    }
    if (this.caller.unhandled > 0) return this.endWhenHandled(sequence, status, value, startedAt)
    this.post(sequence, status, value, startedAt)
    return undefined
  }

  /** Ends a task and leaves its result in shared memory. `false`: it has to be posted. */
  private keep(sequence: number, value: unknown, startedAt: number): boolean {
    const { control, results } = this
    if (this.platform.remote !== undefined) return false
    if (!controlBlock.keep(control, sequence, value)) {
      if (results === undefined || threadContext.moved !== undefined) return false
      const at = results.write(value)
      if (at < 0) return false
      if (results.parts.length > 0) {
        controlBlock.keepAt(control, sequence, controlBlock.Posted, at)
        controlBlock.end(control, sequence, startedAt, this.platform.now())
        this.unreportedSince = 0
        this.platform.post([protocol.Progress, sequence, protocol.SucceededInParts, results.parts], results.parts)
        return true
      }
      controlBlock.keepAt(control, sequence, controlBlock.InRing, at)
    }
    threadContext.moved = undefined
    const now = this.platform.now()
    controlBlock.end(control, sequence, startedAt, now)
    this.endedAt = now
    if (this.unreportedSince === 0) this.unreportedSince = now
    else if (now - this.unreportedSince > progressMillis) this.report()
    return true
  }

  private isAskedToStop(sequence: number): boolean {
    return this.caller.stopped || controlBlock.isStopRequested(this.control.int32, sequence)
  }

  /** Ends a task when the program has handled its notifications. */
  private async endWhenHandled(sequence: number, status: number, value: unknown, startedAt: number): Promise<void> {
    this.post(sequence, ...await this.whenHandled(sequence, status, value), startedAt)
  }

  /** The outcome of a body, once the program has handled its notifications. */
  private async whenHandled(sequence: number, status: number, value: unknown): Promise<Outcome> {
    const { moved } = threadContext
    this.report()
    const [, , handled, about] = await this.caller.flush(sequence)
    threadContext.moved = moved
    if (handled === protocol.Stopped) return [handled, undefined]
    // The body's own panic takes precedence.
    return handled === protocol.Succeeded || status === protocol.Panicked ? [status, value] : [handled, about]
  }

  /** Resumes a body that was left at a `yield`, or ends it there. */
  private resume(sequence: number, coroutine: Coroutine, close: boolean): Promise<void> | undefined {
    const startedAt = this.endedAt || this.platform.now()
    this.endedAt = 0
    controlBlock.enter(this.control, sequence, startedAt)
    this.platform.remote?.onEnter(sequence, startedAt)
    threadContext.current = sequence
    const stop = close || controlBlock.isStopRequested(this.control.int32, sequence)
    return this.advance(sequence, coroutine, startedAt, stop)
  }

  /** Runs a body until it has a chunk of elements or ends, or closes it, and posts the result. */
  private advance(
    sequence: number,
    coroutine: Coroutine,
    startedAt: number,
    close: boolean
  ): Promise<void> | undefined {
    const { caller } = this
    const isStopRequested = (): boolean => {
      this.context.refresh?.()
      return controlBlock.isStopRequested(this.control.int32, sequence)
    }
    const mayGoOn = (): boolean => controlBlock.takeGoOn(this.control, sequence)
    threadContext.current = sequence
    threadContext.moved = coroutine.moved
    caller.unhandled = coroutine.unhandled
    caller.stopped = false
    caller.beforeWait = () => {
      const elements = coroutine.takeBeforeWait()
      if (elements !== undefined && caller.sendElements(elements)) coroutine.onSent()
    }
    let status: number | undefined
    let value: unknown
    try {
      const advanced = this.bodies.call(
        sequence,
        () =>
          close
            ? coroutine.close(caller)
            : coroutine.advance({ now: this.platform.now, isStopRequested, mayGoOn, caller }),
        noArguments
      ) as Advanced
      if (advanced._tag === "Closed") status = protocol.Stopped
      else if (advanced._tag === "Returned") [status, value] = whatReturned(advanced.value)
      // A value that a body returns without a Result is ignored.
      if (status === protocol.Succeeded) value = undefined
    } catch (thrown) {
      ;[status, value] = whatThrew(thrown, close || this.isAskedToStop(sequence))
    }
    caller.beforeWait = undefined
    threadContext.current = 0
    coroutine.moved = threadContext.moved
    if (status === undefined) {
      coroutine.unhandled = caller.unhandled
      coroutine.id ||= ++this.lastCoroutine
      this.coroutines.set(coroutine.id, coroutine)
    } else {
      coroutine.end()
      this.coroutines.delete(coroutine.id)
      if (caller.unhandled > 0) {
        return this.whenHandled(sequence, status, value).then(([status, value]) =>
          this.postElements(sequence, coroutine, status, value, startedAt)
        )
      }
    }
    this.postElements(sequence, coroutine, status, value, startedAt)
    return undefined
  }

  /** Posts yielded elements, with the outcome if the body has ended. */
  private postElements(
    sequence: number,
    coroutine: Coroutine,
    status: number | undefined,
    value: unknown,
    startedAt: number
  ): void {
    const { elements, id, uncloneable } = coroutine
    const [ended, outcome] = uncloneable === undefined ? [status, value] : [protocol.NotCloneable, uncloneable]
    try {
      if (status === undefined) {
        const yielded = uncloneable === undefined ? [id, elements] as const : [id, elements, uncloneable] as const
        this.postOrThrow(sequence, protocol.Yielded, yielded satisfies protocol.YieldedValue, startedAt)
      } else if (elements.length === 0) {
        return this.post(sequence, ended!, outcome, startedAt)
      } else {
        const end: protocol.EndedValue = [elements, ended!, outcome]
        this.postOrThrow(sequence, protocol.Ended, end, startedAt)
      }
    } catch (error) {
      coroutine.onRefused(error)
      return this.postElements(sequence, coroutine, status, value, startedAt)
    }
    coroutine.onSent()
  }

  /** Ends a task and posts its outcome. */
  private post(sequence: number, status: number, value: unknown, startedAt: number): void {
    try {
      this.postOrThrow(sequence, status, value, startedAt)
    } catch (error) {
      this.platform.post([protocol.Progress, sequence, ...instead(status, value, error)], undefined)
    }
  }

  /**
   * Ends a task and posts its result immediately: otherwise it would be lost if the thread dies. Throws,
   * without posting, for a value that cannot be cloned.
   */
  private postOrThrow(sequence: number, status: number, value: unknown, startedAt: number): void {
    controlBlock.willPost(this.control, sequence)
    controlBlock.end(this.control, sequence, startedAt, this.platform.now())
    this.unreportedSince = 0
    const { moved } = threadContext
    const message = [protocol.Progress, sequence, status, value] as const
    let values: Set<object> | undefined
    try {
      if (moved !== undefined) values = findMoved(value, moved)
      this.platform.post(message, values && transferables(values))
    } catch (error) {
      // Not every value can be transferred: the rest is copied.
      if (values === undefined || !this.tryPost(message, transferring(values))) throw error
    }
    threadContext.moved = undefined
  }

  private tryPost(message: protocol.ProgressMessage, transfer: Array<object>): boolean {
    try {
      this.platform.post(message, transfer)
      return true
    } catch {
      return false
    }
  }

  /** Reports the tasks that have ended since the last report. */
  private report(): void {
    if (this.unreportedSince === 0) return
    this.unreportedSince = 0
    this.endedAt = 0
    this.platform.post(progress, undefined)
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

const noArguments: Array<unknown> = []

/** The position of the first posted arguments in a message. */
const firstPosted = 3

const progress: protocol.ProgressMessage = [protocol.Progress]
