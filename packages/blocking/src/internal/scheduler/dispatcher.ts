/** Sends runs to threads in batches, and takes back the ones that a thread has not claimed. */
import type { ThreadHost } from "../../ThreadHost.ts"
import * as controlBlock from "../wire/controlBlock.ts"
import { forget } from "../wire/moved.ts"
import * as protocol from "../wire/protocol.ts"
import { notCloneable, prepareTransfer, takeOwnership } from "./arguments.ts"
import type { Outcome } from "./outcome.ts"
import { chunkIndex, type Payloads, placeOf } from "./payloads.ts"
import type { PoolThread } from "./poolThread.ts"
import type { Queue } from "./queue.ts"
import { Assigned, Done, Run, Suspended } from "./run.ts"
import type { Threads } from "./threads.ts"

/**
 * How long a batch should keep its thread busy, by the mean time of its tasks.
 * Measured: ten times the cost of the message; longer batches gain little and delay
 * the tasks behind them.
 */
const batchMillis = 0.5

/** The runs that are dispatched to one thread. */
interface Batch {
  readonly thread: PoolThread
  readonly message: protocol.RunMessage
  transfer: Array<object> | undefined
  /** The lease that gets the thread, instead of tasks. */
  lease: Run | undefined
  millis: number
  full: boolean
}

/** Outcomes and grants to report after the dispatch, because callbacks may call back in. */
export interface Dispatched {
  readonly refused: Array<readonly [Run, Outcome]>
  readonly leases: Array<readonly [Run, PoolThread]>
  /** Whether any thread got anything. */
  any: boolean
}

export interface DispatcherListener {
  /** The thread has just been sent something. */
  readonly onSent: (thread: PoolThread) => void
  /** The run was taken from its queue. */
  readonly onTaken: (run: Run) => void
  /** The thread was reserved, and got nothing. */
  readonly onUnused: (thread: PoolThread) => void
}

export class Dispatcher {
  private readonly host: ThreadHost
  private readonly queue: Queue
  private readonly threads: Threads
  /** How many tasks a thread is sent at once, at most. */
  private readonly maxTasks: number
  private readonly payloads: Payloads | undefined
  private readonly listener: DispatcherListener

  constructor(
    host: ThreadHost,
    queue: Queue,
    threads: Threads,
    payloads: Payloads | undefined,
    listener: DispatcherListener
  ) {
    this.host = host
    this.queue = queue
    this.payloads = payloads
    this.threads = threads
    this.maxTasks = Math.min(host.maxTasksPerThread ?? Infinity, controlBlock.capacity)
    this.listener = listener
  }

  /** Sends one run to a thread. If its arguments cannot cross, returns its outcome, and the thread gets nothing. */
  assign(thread: PoolThread, run: Run): Outcome | undefined {
    // Moved directly, if every value can be transferred.
    if (run.details?.moves !== undefined && Array.isArray(run.args)) {
      const { args } = run
      prepareTransfer(run)
      if (this.trySend(thread, run) === undefined) {
        forget(run.details.moves.values)
        run.details.moves = undefined
        return undefined
      }
      run.args = args
      run.details.transfer = undefined
    }
    return takeOwnership(run) ?? this.trySend(thread, run)
  }

  private trySend(thread: PoolThread, run: Run): Outcome | undefined {
    const message = emptyMessage()
    this.add(message, thread, run)
    try {
      thread.thread.post(message, run.transfer)
    } catch (error) {
      thread.assigned.pop()
      return notCloneable(run, run.args, error, this.host)
    }
    this.listener.onSent(thread)
    return undefined
  }

  /**
   * Dispatches the queue to idle threads, one after the other, so that tasks start in the order in
   * which they came. A thread gets as many as keep it busy for `batchMillis`; a task that is
   * long, or has never run, is sent alone.
   */
  dispatch(): Dispatched {
    const { queue, threads } = this
    const dispatched: Dispatched = { refused: [], leases: [], any: false }
    const batches: Array<Batch> = []
    while (batches.length < queue.size) {
      const thread = threads.takeIdle(queue)
      if (thread === undefined) break
      batches.push({ thread, message: emptyMessage(), transfer: undefined, lease: undefined, millis: 0, full: false })
    }
    let open = batches.length
    for (let i = 0; open > 0; i = i + 1 < batches.length ? i + 1 : 0) {
      const batch = batches[i]!
      if (batch.full) continue
      const run = queue.peek(batch.thread)
      if (run === undefined) {
        batch.full = true
        open--
        continue
      }
      // The thread reads all arguments of a batch before it begins the first task.
      const cost = travelsAlone(run) ? Infinity : run.definition.meanMillis + run.copyMillis
      if (batch.thread.assigned.length > 0 && batch.millis + cost > batchMillis) {
        batch.full = true
        open--
        continue
      }
      run.list!.remove(run)
      if (run.isLease) {
        batch.lease = run
        batch.full = true
        open--
        continue
      }
      this.add(batch.message, batch.thread, run)
      batch.transfer = run.transfer
      batch.millis += cost
      if (batch.thread.assigned.length >= this.maxTasks) {
        batch.full = true
        open--
      }
    }
    for (const batch of batches) this.send(batch, dispatched)
    return dispatched
  }

  private send({ lease, message, thread, transfer }: Batch, dispatched: Dispatched): void {
    if (lease !== undefined || thread.assigned.length > 0) dispatched.any = true
    if (lease !== undefined) {
      dispatched.leases.push([lease, thread])
      return
    }
    if (thread.assigned.length === 0) return this.threads.putBack(thread)
    try {
      thread.thread.post(message, transfer)
      this.listener.onSent(thread)
    } catch {
      // Each task could be cloned before; together they may be too much. Sending them one by one finds the cause.
      for (const run of thread.assigned.splice(0)) {
        const outcome = this.assign(thread, run)
        if (outcome !== undefined) dispatched.refused.push([run, outcome])
      }
      if (thread.assigned.length === 0) this.listener.onUnused(thread)
    }
  }

  /** Resumes open bodies of a thread, first come, first served. The thread must have nothing else. */
  resume(thread: PoolThread): void {
    const { resumptions } = thread
    const message = emptyMessage()
    let millis = 0
    for (let run = resumptions.peek(); run !== undefined; run = resumptions.peek()) {
      const { meanMillis } = run.definition
      const isFull = thread.assigned.length >= this.maxTasks || millis + meanMillis > batchMillis
      if (thread.assigned.length > 0 && isFull) break
      millis += meanMillis
      resumptions.remove(run)
      const { closing, id } = run.details!.coroutine!
      this.place(message, thread, run, closing ? protocol.Close : protocol.Resume, [id])
    }
    thread.resumedLast = true
    thread.thread.post(message, undefined)
    this.listener.onSent(thread)
  }

  private add(message: protocol.RunMessage, thread: PoolThread, run: Run): void {
    const { args, definition } = run
    const { index } = definition
    if (thread.defined[index] === undefined) {
      const { loop, module, name } = definition
      thread.thread.post([protocol.Define, index, module, name, loop], undefined)
      thread.defined[index] = true
    }
    this.listener.onTaken(run)
    thread.resumedLast = false
    this.place(message, thread, run, index, args)
  }

  private place(
    message: protocol.RunMessage,
    thread: PoolThread,
    run: Run,
    index: number,
    args: Run["args"]
  ): void {
    const sequence = thread.nextSequence()
    run.state = Assigned
    run.thread = thread
    run.sequence = sequence
    thread.assigned.push(run)
    if (typeof args === "number") {
      const chunk = chunkIndex(args)
      if (thread.chunks[chunk] === undefined) {
        thread.thread.post([protocol.Chunk, chunk, this.payloads!.memoryOf(chunk)], undefined)
        thread.chunks[chunk] = true
      }
      controlBlock.offerPayload(thread.control, sequence, index, chunk, placeOf(args))
      if (run.transfer !== undefined) message.push(message[2], run.transfer)
    } else if (!controlBlock.offer(thread.control, sequence, index, args)) {
      message.push(message[2], args)
    }
    if (message[2] === 0) message[1] = sequence
    message[2]++
  }

  /** Takes back a resumption that the thread has not claimed: the body stays open on that thread. */
  withdraw(thread: PoolThread, run: Run): void {
    thread.assigned[thread.assigned.indexOf(run)] = skippedRun(run)
    run.state = Suspended
  }

  /**
   * Takes back the runs that the thread has not claimed, the last first. If nothing else is left,
   * the thread stays busy until it has skipped the last of them.
   */
  takeBack(thread: PoolThread): Array<Run> {
    const taken: Array<Run> = []
    for (let i = thread.assigned.length - 1; i >= 0; i--) {
      const run = thread.assigned[i]!
      if (run.state !== Assigned) continue
      // Moved buffers, open bodies and leased state stay in that thread as long as it lives.
      if (thread.state === "Ready" && (run.transfer !== undefined || run.isOpen || thread.lease !== undefined)) continue
      if (!thread.revoke(run)) continue
      if (thread.assigned.length === 1 && thread.state === "Ready") thread.assigned[0] = skippedRun(run)
      else thread.assigned.splice(i, 1)
      taken.push(run)
    }
    return taken
  }
}

/**
 * Moved buffers cannot be taken back, so no other task may delay the task that they are
 * for. And a task that was on a thread that died may have been the cause.
 */
const travelsAlone = ({ details, task }: Run): boolean =>
  task.mayWait || details !== undefined &&
    (details.onGranted !== undefined || details.transfer !== undefined || details.losses > 0)

const emptyMessage = (): protocol.RunMessage => [protocol.Run, 0, 0]

/** Stands for a run that was taken back, until its thread has skipped it. */
const skippedRun = (run: Run): Run => {
  const skipped = new Run(run.id, run.task, run.definition, [], run.submittedAt, () => {}, undefined)
  skipped.state = Done
  skipped.sequence = run.sequence
  return skipped
}
