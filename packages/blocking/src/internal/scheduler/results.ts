/** Collects results of the threads, from their messages and their control blocks. */
import * as Exit from "effect/Exit"
import type { ThreadHost } from "../../ThreadHost.ts"
import { describe } from "../wire/cloneable.ts"
import * as controlBlock from "../wire/controlBlock.ts"
import { PayloadReader } from "../wire/payloadReader.ts"
import * as protocol from "../wire/protocol.ts"
import { decode } from "../wire/restored.ts"
import { releaseArguments } from "./arguments.ts"
import type { Coroutines } from "./coroutines.ts"
import type { SchedulerEvent } from "./events.ts"
import { reported, skipped, unreadable } from "./outcome.ts"
import type { Outcomes } from "./outcomes.ts"
import type { Payloads } from "./payloads.ts"
import type { PoolThread } from "./poolThread.ts"
import { Done, type Run, Suspended } from "./run.ts"
import { Yielding } from "./yielding.ts"

/** How many outcomes are reported between two reads of the clock. Arbitrary: some microseconds, and a tenth of the cost. */
const outcomesPerClockRead = 16

export interface ResultsListener {
  /** The thread has ended runs, and may be free: it gets its next tasks before the outcomes are reported. */
  readonly onEnded: (thread: PoolThread) => void
  readonly onEvent: (event: SchedulerEvent) => void
}

export class Results {
  /** Uncaught errors in threads. */
  uncaughtErrors = 0
  /** The current time while outcomes are reported, 0 otherwise: callbacks often submit the next task, and the clock is slow. */
  time = 0
  private readonly yielding: Yielding
  private readonly host: ThreadHost
  private readonly outcomes: Outcomes
  private readonly coroutines: Coroutines
  private readonly reader = new PayloadReader()
  private readonly payloads: Payloads | undefined
  private readonly listener: ResultsListener

  constructor(
    host: ThreadHost,
    outcomes: Outcomes,
    coroutines: Coroutines,
    payloads: Payloads | undefined,
    listener: ResultsListener
  ) {
    this.host = host
    this.payloads = payloads
    this.outcomes = outcomes
    this.coroutines = coroutines
    this.listener = listener
    this.yielding = new Yielding(host, (thread, message) => this.collect(thread, message))
  }

  onMessage(thread: PoolThread, message: protocol.FromThread): void {
    if (message[0] === protocol.Progress) {
      this.yielding.onMessage(thread, message)
    } else if (message[0] === protocol.Uncaught) {
      const { threadId } = thread.thread
      this.uncaughtErrors += message.length === 2 ? message[1] : 1
      this.listener.onEvent(
        message.length === 2
          ? { _tag: "UncaughtErrors", threadId, more: message[1] }
          : { _tag: "UncaughtError", threadId, task: message[2], error: decode(message[1], []) }
      )
    }
  }

  /** A posted result cannot be read here (a structure too deep for the stack): its task fails. */
  onMessageError(thread: PoolThread, error: unknown): void {
    // A result that is only deferred is not the lost one.
    this.flush()
    const { control } = thread
    const lost = thread.assigned.find(({ sequence }) =>
      controlBlock.hasEnded(control, sequence) && controlBlock.resultKind(control, sequence) === controlBlock.Posted
    )
    if (lost === undefined) {
      return this.listener.onEvent({
        _tag: "UncaughtError",
        threadId: thread.thread.threadId,
        task: undefined,
        error
      })
    }
    const value: protocol.NotCloneableValue = { side: "success", path: "result", detail: describe(error) }
    this.collect(
      thread,
      lost.isOpen
        ? [protocol.Progress, lost.sequence, protocol.Yielded, [lost.details!.coroutine!.id, [], value]]
        : [protocol.Progress, lost.sequence, protocol.NotCloneable, value]
    )
  }

  /** Handles the messages that were deferred to the next turn of the event loop. */
  flush(): void {
    this.yielding.flush()
  }

  /**
   * Collects ended runs, lets the thread get its next tasks, and only then reports
   * the outcomes: the fibers that they resume can take long.
   */
  collect(thread: PoolThread, message?: protocol.ProgressMessage): void {
    const count = thread.countEnded(message?.[1])
    if (count === 0) return
    const { control } = thread
    const runs = thread.assigned.splice(0, count)
    thread.ended += count
    const values: Array<unknown> = []
    for (const run of runs) {
      const { sequence } = run
      releaseArguments(run, this.payloads)
      // Read before the thread gets its next tasks, which use the same cells.
      if (!controlBlock.hasEnded(control, sequence)) {
        values.push(notRun)
        continue
      }
      values.push(this.value(thread, run, sequence === message?.[1] ? message : undefined))
      const coroutine = run.details?.coroutine
      if (coroutine !== undefined) {
        const yielded = message !== undefined && sequence === message[1] && message[2] === protocol.Yielded
        this.coroutines.onLeft(run, coroutine, thread, yielded ? message[3] as protocol.YieldedValue : undefined)
      }
      if (run.state === Done) continue
      this.measure(run, controlBlock.startTime(control, sequence), controlBlock.endTime(control, sequence))
    }
    const posted = message !== undefined && message.length > 1 ? runs[count - 1] : undefined
    // The run of the ladder has ended: no further step.
    if (thread.ladderFor !== undefined && runs.includes(thread.ladderFor)) thread.clearLadder()
    this.listener.onEnded(thread)
    for (let i = 0; i < count; i++) {
      const run = runs[i]!
      if (i % outcomesPerClockRead === 0) this.time = this.host.now()
      if (run.state !== Done) this.report(run, values[i], run === posted ? message : undefined)
    }
    this.time = 0
  }

  private measure(run: Run, startedAt: number, endedAt: number): void {
    // A listener may have been added since the run was submitted.
    if (this.outcomes.taskEvents.isOn) run.detailed()
    const { details } = run
    const coroutine = details?.coroutine
    // For a body that is left and resumed, the first entry is the start, and the sum of its times the run time.
    const isFirst = coroutine === undefined || details!.startedAt === 0
    if (details !== undefined) {
      if (isFirst) details.startedAt = startedAt
      details.endedAt = endedAt
    }
    if (startedAt === 0) return
    run.definition.learn(endedAt - startedAt)
    if (isFirst) {
      this.outcomes.taskEvents.onRunning(run, run.thread!, startedAt)
      this.outcomes.queueWait.record(startedAt - run.submittedAt)
    }
    if (coroutine !== undefined) coroutine.bodyMillis += endedAt - startedAt
    if (run.state !== Suspended) this.outcomes.runTime.record(coroutine?.bodyMillis ?? endedAt - startedAt)
  }

  /** The result of a body that has ended: from the control block, the ring, or the ring and a message. */
  private value(thread: PoolThread, run: Run, message: protocol.ProgressMessage | undefined): unknown {
    const { control, results } = thread
    const { sequence } = run
    const inParts = message !== undefined && message[2] === protocol.SucceededInParts
    if (!inParts && controlBlock.resultKind(control, sequence) !== controlBlock.InRing) {
      return controlBlock.result(control, sequence)
    }
    const at = controlBlock.resultAt(control, sequence)
    try {
      if (run.state !== Done) {
        return results!.value(this.reader, at, message?.[3] as ReadonlyArray<ArrayBuffer> | undefined)
      }
    } catch (error) {
      return new Unreadable(error)
    } finally {
      results!.free(at)
    }
  }

  private report(run: Run, value: unknown, message: protocol.ProgressMessage | undefined): void {
    const { outcomes } = this
    if (value === notRun) outcomes.settleWith(run, skipped(run))
    else if (value instanceof Unreadable) outcomes.settleWith(run, unreadable(run, value.error))
    else if (message !== undefined && message[2] !== protocol.SucceededInParts) {
      this.reportPosted(run, message[2]!, message[3])
    } else if (run.stop !== "TimeLimit" && run.task.codec === undefined) {
      outcomes.settle(run, "Succeeded", Exit.succeed(value))
    } else outcomes.settleWith(run, reported(run, protocol.Succeeded, value))
  }

  private reportPosted(run: Run, status: number, value: unknown): void {
    const coroutine = run.details?.coroutine
    if (coroutine === undefined) {
      this.outcomes.settleWith(run, reported(run, status, value))
    } else if (status === protocol.Yielded) {
      this.coroutines.onYielded(run, value as protocol.YieldedValue)
    } else if (status === protocol.Ended) {
      const [elements, ended, outcome] = value as protocol.EndedValue
      coroutine.onElements(elements)
      this.reportPosted(run, ended, outcome)
    } else {
      this.outcomes.settleWith(run, coroutine.failure ?? reported(run, status, value))
    }
  }
}

/** Stands for a value that could not be read. */
class Unreadable {
  readonly error: unknown
  constructor(error: unknown) {
    this.error = error
  }
}

/** Stands for a value: the thread has skipped the task, which was neither run nor revoked. */
const notRun = Symbol("not run")
