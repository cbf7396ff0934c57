/** Which run goes to which thread, and back: batches, and what a thread has not claimed. */
import { notCloneable } from "./arguments.ts"
import * as controlBlock from "./controlBlock.ts"
import type { Outcome } from "./outcome.ts"
import type { PoolThread } from "./poolThread.ts"
import * as protocol from "./protocol.ts"
import { Assigned, Done, Run, type RunList } from "./run.ts"
import type { Threads } from "./threads.ts"

/**
 * How long a batch is meant to keep its thread busy, by the mean time of its tasks.
 * Measured: ten times what the message costs; longer batches gain little and make
 * what is behind them wait.
 */
const batchMillis = 0.5

/** What is dealt to one thread. */
interface Hand {
  readonly thread: PoolThread
  readonly message: protocol.RunMessage
  transfer: Array<object> | undefined
  /** The lease that it goes to instead of tasks. */
  lease: Run | undefined
  millis: number
  full: boolean
}

/** What is left to be told when all is dealt: who is told can call back in. */
export interface Dealt {
  readonly refused: Array<readonly [Run, Outcome]>
  readonly leases: Array<readonly [Run, PoolThread]>
}

export interface DealerListener {
  /** The thread has just been sent something. */
  readonly onSent: (thread: PoolThread) => void
  /** The run is in a queue no longer. */
  readonly onTaken: (run: Run) => void
  /** The thread was meant to get something, and did not. */
  readonly onUnused: (thread: PoolThread) => void
}

export class Dealer {
  private readonly queue: RunList
  private readonly threads: Threads
  /** The most that a thread is sent at once. */
  private readonly maxTasks: number
  private readonly listener: DealerListener

  constructor(queue: RunList, threads: Threads, maxTasks: number, listener: DealerListener) {
    this.queue = queue
    this.threads = threads
    this.maxTasks = Math.min(maxTasks, controlBlock.capacity)
    this.listener = listener
  }

  /** Sends one run to a thread. If its arguments cannot cross, answers what it comes to; the thread is spared. */
  assign(thread: PoolThread, run: Run): Outcome | undefined {
    const message = emptyMessage()
    this.add(message, thread, run)
    try {
      thread.thread.post(message, run.transfer)
    } catch (error) {
      thread.assigned.pop()
      return notCloneable(run, error)
    }
    this.listener.onSent(thread)
    return undefined
  }

  /**
   * Deals the queue out to idle threads, in turn, so that tasks start in the order in
   * which they came. A thread gets as many as keep it busy for a moment; a task that is
   * long, or not known yet, travels alone.
   */
  deal(): Dealt {
    const { queue, threads } = this
    const dealt: Dealt = { refused: [], leases: [] }
    const hands: Array<Hand> = []
    while (hands.length < queue.size) {
      const thread = threads.takeIdle()
      if (thread === undefined) break
      hands.push({ thread, message: emptyMessage(), transfer: undefined, lease: undefined, millis: 0, full: false })
    }
    let open = hands.length
    for (let i = 0; open > 0; i = i + 1 < hands.length ? i + 1 : 0) {
      const hand = hands[i]!
      if (hand.full) continue
      const run = queue.peek()
      if (run === undefined) break
      const cost = travelsAlone(run) ? Infinity : run.definition.meanMillis
      if (hand.thread.assigned.length > 0 && hand.millis + cost > batchMillis) {
        hand.full = true
        open--
        continue
      }
      queue.shift()
      if (run.isLease) {
        hand.lease = run
        hand.full = true
        open--
        continue
      }
      this.add(hand.message, hand.thread, run)
      hand.transfer = run.transfer
      hand.millis += cost
      if (hand.thread.assigned.length >= this.maxTasks) {
        hand.full = true
        open--
      }
    }
    for (const hand of hands) this.send(hand, dealt)
    return dealt
  }

  private send({ lease, message, thread, transfer }: Hand, dealt: Dealt): void {
    if (lease !== undefined) {
      dealt.leases.push([lease, thread])
      return
    }
    if (thread.assigned.length === 0) return this.threads.putBack(thread)
    try {
      thread.thread.post(message, transfer)
      this.listener.onSent(thread)
    } catch {
      // What was queued could be cloned before, but not all of it is a copy: a task taken
      // back from a thread still has its caller's arguments. One by one the culprit is found.
      for (const run of thread.assigned.splice(0)) {
        const outcome = this.assign(thread, run)
        if (outcome !== undefined) dealt.refused.push([run, outcome])
      }
      if (thread.assigned.length === 0) this.listener.onUnused(thread)
    }
  }

  private add(message: protocol.RunMessage, thread: PoolThread, run: Run): void {
    const { args, definition } = run
    const { index } = definition
    if (thread.defined[index] === undefined) {
      thread.thread.post([protocol.Define, index, definition.module, definition.name], undefined)
      thread.defined[index] = true
    }
    this.listener.onTaken(run)
    const sequence = thread.nextSequence()
    run.state = Assigned
    run.thread = thread
    run.sequence = sequence
    thread.assigned.push(run)
    if (!controlBlock.offer(thread.control, sequence, index, args)) message.push(message[2], args)
    if (message[2] === 0) message[1] = sequence
    message[2]++
  }

  /**
   * Takes back what the thread has not claimed, the last first. If that is all it has,
   * it is still busy until it has passed the last.
   */
  takeBack(thread: PoolThread): Array<Run> {
    const taken: Array<Run> = []
    for (let i = thread.assigned.length - 1; i >= 0; i--) {
      const run = thread.assigned[i]!
      if (run.state !== Assigned) continue
      // Moved buffers, and what a lease is held for, are in that thread as long as it lives.
      if (thread.state === "Ready" && (run.transfer !== undefined || thread.lease !== undefined)) continue
      if (!thread.revoke(run)) continue
      if (thread.assigned.length === 1 && thread.state === "Ready") thread.assigned[0] = passedOver(run)
      else thread.assigned.splice(i, 1)
      taken.push(run)
    }
    return taken
  }
}

/**
 * Moved buffers cannot be taken back, so nothing may hold up the task that they are
 * for; and who was with a thread that died may have been what killed it.
 */
const travelsAlone = ({ details }: Run): boolean =>
  details !== undefined &&
  (details.onGranted !== undefined || details.transfer !== undefined || details.losses > 0)

const emptyMessage = (): protocol.RunMessage => [protocol.Run, 0, 0]

/** Stands for a run that was taken back, until its thread has passed it. */
const passedOver = (run: Run): Run => {
  const passed = new Run(run.id, run.task, run.definition, [], run.submittedAt, () => {}, undefined)
  passed.state = Done
  passed.sequence = run.sequence
  return passed
}
