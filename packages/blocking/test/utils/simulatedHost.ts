/**
 * A thread host without threads: a clock that moves when the test moves it, and
 * threads that act on the test's calls, through the same control block and messages as
 * real ones.
 */
import type * as ThreadHost from "effect-blocking/ThreadHost"
import * as controlBlock from "../../src/internal/wire/controlBlock.ts"
import { PayloadMemory, type PayloadPlatform } from "../../src/internal/wire/payload.ts"
import { PayloadReader } from "../../src/internal/wire/payloadReader.ts"
import * as protocol from "../../src/internal/wire/protocol.ts"
import { ResultWriter } from "../../src/internal/wire/resultRing.ts"

interface Timer {
  readonly at: number
  readonly callback: () => void
}

interface Received {
  readonly sequence: number
  /** As offered; arguments in a chunk are read again when the task has been claimed. */
  args: ReadonlyArray<unknown>
  state: "offered" | "claimed" | "read"
  /** Arguments that came by message. */
  readonly posted: Array<unknown> | undefined
  /** The index of a task; `Resume` or `Close` for a body that was left. */
  readonly task: number
}

/** A body that was left in a thread. */
export interface SimulatedBody {
  /** The argument of its task. */
  readonly n: number
  yielded: number
}

export class SimulatedThread {
  readonly inbox: Array<Received> = []
  /** The current body, if that was never left. */
  private begun: SimulatedBody | undefined
  /** Bodies that were left, by number. */
  readonly open = new Map<number, SimulatedBody>()
  private lastOpened = 0
  private lastCall = 0
  /** The number of the call for whose answer it waits in the middle of a body, 0 for none. */
  waitsFor = 0
  /** Bodies that were left for an answer, by the number of their call. */
  private readonly asked = new Map<number, SimulatedBody>()
  retired = false
  terminated = false
  /** A message is on its way. */
  undelivered = false
  private readonly pending: Array<protocol.ProgressMessage | protocol.CallMessage> = []
  readonly ordinal: number
  readonly mayBlock: () => boolean
  private readonly control: controlBlock.ControlBlock
  private startedAt = 0
  private readonly host: SimulatedHost
  private readonly events: ThreadHost.ThreadEvents
  private readonly chunks: Array<PayloadMemory | undefined> = []
  private readonly reader = new PayloadReader()
  private readonly ring: PayloadMemory | undefined
  private readonly results: ResultWriter | undefined
  /** Where the last result in the ring ends. */
  private ringEnd = 0

  constructor(host: SimulatedHost, options: ThreadHost.ThreadOptions, events: ThreadHost.ThreadEvents) {
    this.host = host
    this.ordinal = options.ordinal
    this.mayBlock = options.mayBlock
    const { control, results } = options.start as protocol.ThreadStart
    this.control = controlBlock.view(control)
    if (results !== undefined) {
      this.ring = new PayloadMemory(results, host.payloads!)
      this.results = new ResultWriter(results, controlBlock.ringRead(this.control), host.payloads!)
    }
    this.events = events
  }

  receive(message: protocol.ToThread): void {
    if (message[0] === protocol.Retire) {
      if (this.open.size > 0) this.host.violation = "a thread retires with an open body"
      this.retired = true
    }
    if (message[0] === protocol.Answer) {
      const [, number] = message
      if (number < 0 && !this.asked.delete(number)) this.host.violation = "an answer to no call"
      if (number > 0 && number !== this.waitsFor) this.host.violation = "an answer to another call"
      if (number > 0) this.waitsFor = 0
    }
    if (message[0] === protocol.Chunk) {
      this.chunks[message[1]] = message[2] && new PayloadMemory(message[2], this.host.payloads!)
    }
    if (message[0] !== protocol.Run) return
    const [, first, count, ...posted] = message
    if (posted.some((args) => Array.isArray(args) && args.some((value) => typeof value === "function"))) {
      throw new Error("could not be cloned")
    }
    const batch: Array<unknown> = []
    for (let i = 0; i < count; i++) {
      const sequence = controlBlock.plus(first, i)
      const values = posted[0] === i ? posted.splice(0, 2)[1] as Array<unknown> : undefined
      const args = this.argumentsOf(sequence, values)
      const task = controlBlock.taskOf(this.control, sequence)
      this.inbox.push({ sequence, args, posted: values, task, state: "offered" })
      if (task >= 0) batch.push(args[0])
      else if (!this.open.has(args[0] as number)) this.host.violation = "a body is resumed that is not open"
      else if (task === protocol.Resume && this.isAsked(args[0] as number)) {
        this.host.violation = "a body is resumed before it is answered"
      }
    }
    if (batch.length > 0) this.host.onBatch(batch)
  }

  ready(): void {
    this.events.onMessage([protocol.Ready, []])
  }

  /** `posted`: the arguments, or buffers that were moved beside them. */
  private argumentsOf(sequence: number, posted: Array<unknown> | undefined): ReadonlyArray<unknown> {
    const chunk = controlBlock.chunkOf(this.control, sequence)
    if (chunk < 0) return posted ?? controlBlock.argumentsOf(this.control, sequence)!
    const at = controlBlock.argumentsAt(this.control, sequence)
    return this.reader.read(this.chunks[chunk]!, at, posted as Array<ArrayBuffer> | undefined) as ReadonlyArray<unknown>
  }

  /** Claims the first task in the inbox, whose module it then loads; `false` if that was revoked. */
  claim(): boolean {
    const first = this.inbox[0]!
    if (controlBlock.claim(this.control, first.sequence)) {
      first.state = "claimed"
      return true
    }
    this.inbox.shift()
    controlBlock.skip(this.control, first.sequence)
    if (this.inbox.length === 0) this.notify()
    return false
  }

  /** Reads the arguments of the claimed task. */
  read(): void {
    const first = this.inbox[0]!
    if (controlBlock.chunkOf(this.control, first.sequence) >= 0) {
      first.args = this.argumentsOf(first.sequence, first.posted)
    }
    first.state = "read"
  }

  /** Enters the body of the first task in the inbox, after claiming it if necessary; `false` if that was revoked. */
  enter(): boolean {
    const first = this.inbox[0]!
    if (first.state === "offered" && !this.claim()) return false
    if (first.state !== "read") this.read()
    this.startedAt = this.host.time
    controlBlock.enter(this.control, first.sequence, this.startedAt)
    return true
  }

  /** Skips a task that was not revoked: a fault that no thread should have. */
  skip(): void {
    controlBlock.skip(this.control, this.inbox.shift()!.sequence)
    this.notify()
  }

  /** The argument of the first task in the inbox. */
  get task(): number {
    return this.resumed?.n ?? this.inbox[0]!.args[0] as number
  }

  /** The body that it is asked to resume, `undefined` if it is asked to run a task. */
  get resumed(): SimulatedBody | undefined {
    const { args, task } = this.inbox[0]!
    return task < 0 ? this.open.get(args[0] as number)! : undefined
  }

  /** Whether it is asked to end the body. */
  get isClosing(): boolean {
    return this.inbox[0]!.task === protocol.Close || this.isStopRequested
  }

  /** The current body. */
  private get body(): SimulatedBody {
    return this.resumed ?? (this.begun ??= { n: this.inbox[0]!.args[0] as number, yielded: 0 })
  }

  /** Sends elements while the body runs. `more`: one more chunk, if the scheduler lets it go on. */
  send(count: number, more: boolean): void {
    const { sequence } = this.inbox[0]!
    if (more && !controlBlock.takeGoOn(this.control, sequence)) return
    this.pending.push([protocol.Call, sequence, 0, protocol.outputKey, elementsOf(this.body, count)])
    this.undelivered = true
  }

  private isAsked(id: number): boolean {
    const body = this.open.get(id)!
    return Array.from(this.asked.values()).includes(body)
  }

  /** Calls the program, and waits for the answer. */
  call(): void {
    this.waitsFor = ++this.lastCall
    this.pending.push([protocol.Call, this.inbox[0]!.sequence, this.waitsFor, "call", []])
    this.deliver()
  }

  /** Leaves the body after `count` elements, which are consecutive numbers; `asks`: the body calls the program. */
  leave(count: number, uncloneable: boolean, onItsWay: boolean, asks = false): void {
    const { args, sequence, task } = this.inbox[0]!
    const { body } = this
    this.begun = undefined
    if (asks) {
      this.asked.set(-++this.lastCall, body)
      this.pending.push([protocol.Call, sequence, -this.lastCall, "call", []])
    }
    const id = task < 0 ? args[0] as number : ++this.lastOpened
    this.open.set(id, body)
    const elements = elementsOf(body, count)
    const value: protocol.YieldedValue = uncloneable
      ? [id, elements, { side: "success", path: "elements", detail: "" }]
      : [id, elements]
    this.post(protocol.Yielded, value, onItsWay)
  }

  /** Ends a body that can be left, after `count` elements. */
  end(count: number, status: number, value: unknown, onItsWay: boolean): void {
    const { args, task } = this.inbox[0]!
    const { body } = this
    this.begun = undefined
    if (task < 0) this.open.delete(args[0] as number)
    for (const [number, asked] of this.asked) if (asked === body) this.asked.delete(number)
    this.host.ended.set(body.n, body.yielded + count)
    if (count === 0) this.post(status, value, onItsWay)
    else this.post(protocol.Ended, [elementsOf(body, count), status, value] satisfies protocol.EndedValue, onItsWay)
  }

  get isStopRequested(): boolean {
    return controlBlock.isStopRequested(this.control.int32, this.inbox[0]!.sequence)
  }

  /** Ends the entered body; notifies the scheduler when the batch is done, unless the message is still on its way. */
  finish(value?: unknown, onItsWay = false): void {
    const { sequence } = this.inbox[0]!
    if (!controlBlock.keep(this.control, sequence, value)) {
      const at = this.results === undefined ? -1 : this.results.write(value)
      if (at < 0) return this.post(protocol.Succeeded, value, onItsWay)
      this.ringEnd = at + this.ring!.lengthOf(at)
      const { parts } = this.results!
      if (parts.length > 0) {
        controlBlock.keepAt(this.control, sequence, controlBlock.Posted, at)
        return this.endPosted([protocol.SucceededInParts, parts], onItsWay, parts)
      }
      controlBlock.keepAt(this.control, sequence, controlBlock.InRing, at)
    }
    this.inbox.shift()
    controlBlock.end(this.control, sequence, this.startedAt, this.host.time)
    if (this.inbox.length > 0) return
    if (onItsWay) this.undelivered = true
    else this.notify()
  }

  /** How many bytes of results the scheduler has not read. */
  get unreadBytes(): number {
    return this.ringEnd - controlBlock.ringRead(this.control)[0]!
  }

  /** Ends the body with an outcome that only a message can carry. */
  post(status: number, value?: unknown, onItsWay = false): void {
    controlBlock.willPost(this.control, this.inbox[0]!.sequence)
    this.endPosted([status, value], onItsWay)
  }

  private endPosted(
    what: readonly [status: number, value: unknown],
    onItsWay: boolean,
    parts: Array<ArrayBuffer> = []
  ) {
    const { sequence } = this.inbox.shift()!
    controlBlock.end(this.control, sequence, this.startedAt, this.host.time)
    this.pending.push(structuredClone([protocol.Progress, sequence, ...what], { transfer: parts }))
    this.undelivered = true
    if (!onItsWay) this.deliver()
  }

  /** As `post`, with a message that arrives when the returned function is called. */
  postLater(status: number, value?: unknown): () => void {
    const { sequence } = this.inbox.shift()!
    controlBlock.willPost(this.control, sequence)
    controlBlock.end(this.control, sequence, this.startedAt, this.host.time)
    return () => this.events.onMessage([protocol.Progress, sequence, status, value])
  }

  /** As `post`, with a message that cannot be read on the scheduler's side. */
  postUnreadable(): void {
    const { sequence } = this.inbox.shift()!
    controlBlock.willPost(this.control, sequence)
    controlBlock.end(this.control, sequence, this.startedAt, this.host.time)
    this.events.onMessageError(new Error("could not be read"))
  }

  /** Notifies the scheduler to read the control block; messages on their way come before. */
  notify(): void {
    this.deliver()
    this.events.onMessage([protocol.Progress])
  }

  private deliver(): void {
    this.undelivered = false
    for (const message of this.pending.splice(0)) this.events.onMessage(message)
  }

  /** Has released its values, and is about to end. */
  release(): void {
    this.events.onMessage([protocol.Released])
  }

  exit(exitCode = 0): void {
    this.deliver()
    this.events.onExit({ exitCode, signal: undefined, outOfMemory: false, cause: undefined })
  }
}

const elementsOf = (body: SimulatedBody, count: number): Array<unknown> =>
  Array.from({ length: count }, () => body.yielded++)

export class SimulatedHost implements ThreadHost.ThreadHost {
  time = 1000
  alive = false
  readonly threads: Array<SimulatedThread> = []
  /** By the task's argument: how many elements an ended body has yielded. */
  readonly ended = new Map<number, number>()
  /** An invalid request of the scheduler. */
  violation: string | undefined
  /** The error that `spawn` throws, if any. */
  refusal: unknown
  /** Called for every message with tasks, with their first arguments. */
  onBatch: (batch: ReadonlyArray<unknown>) => void = () => {}
  /** Forces the pool to shut down; `undefined` when it has ended. */
  forceShutdown: (() => void) | undefined
  private readonly timers = new Set<Timer>()
  private readonly turn: Array<() => void> = []
  /** Events that have happened, and arrive in the next turn of the event loop. */
  private readonly arriving: Array<() => void> = []
  readonly payloads: PayloadPlatform | undefined

  /** With `payloads`, its threads share memory for values, like real ones. */
  constructor(payloads?: PayloadPlatform) {
    this.payloads = payloads
  }

  readonly now = (): number => this.time

  readonly schedule = (delayMillis: number, callback: () => void): () => void => {
    const timer = { at: this.time + Math.max(0, delayMillis), callback }
    this.timers.add(timer)
    return () => this.timers.delete(timer)
  }

  readonly nextTurn = (callback: () => void): void => {
    this.turn.push(callback)
  }

  readonly keepAlive = (active: boolean): void => {
    this.alive = active
  }

  readonly onForceShutdown = (callback: () => void): () => void => {
    this.forceShutdown = callback
    return () => {
      this.forceShutdown = undefined
    }
  }

  readonly spawn = (options: ThreadHost.ThreadOptions, events: ThreadHost.ThreadEvents): ThreadHost.Thread => {
    if (this.refusal !== undefined) throw this.refusal
    const thread = new SimulatedThread(this, options, events)
    this.threads.push(thread)
    return {
      threadId: options.ordinal,
      post: (message) => thread.receive(message as protocol.ToThread),
      terminate: () => {
        thread.terminated = true
      }
    }
  }

  get pendingTimers(): number {
    return this.timers.size
  }

  /** Runs one turn of the event loop. */
  turnOver(): void {
    for (const event of this.arriving.splice(0)) event()
    for (const callback of this.turn.splice(0)) callback()
  }

  /** Moves the clock while the event loop is blocked: the event arrives after the timers that fall due. */
  block(millis: number, event: () => void): void {
    this.turnOver()
    this.arriving.push(event)
    this.time += millis
    this.fire(this.time)
  }

  /** Moves the clock and calls what falls due, in order; before that, the event loop's turns. */
  advance(millis: number): void {
    const end = this.time + millis
    this.turnOver()
    this.fire(end)
    this.time = end
  }

  private fire(end: number): void {
    while (true) {
      let due: Timer | undefined
      for (const timer of this.timers) {
        if (timer.at <= end && (due === undefined || timer.at < due.at)) due = timer
      }
      if (due === undefined) break
      this.timers.delete(due)
      // Later, if the test has moved the clock: then all timers are late.
      this.time = Math.max(this.time, due.at)
      due.callback()
      // The scheduler's own steps wait for the events that came before their timers.
      while (this.turn.length > 0) this.turnOver()
    }
  }
}
