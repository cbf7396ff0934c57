/** The scheduler's half of a thread that shares no memory: it stands in for the control block. */
import type { RemoteThread, SchedulerChannel } from "../../RemoteThread.ts"
import type { ThreadEvents, ThreadLink } from "../../ThreadHost.ts"
import * as controlBlock from "../wire/controlBlock.ts"
import { PayloadMemory } from "../wire/payload.ts"
import * as protocol from "../wire/protocol.ts"
import * as remote from "../wire/remote.ts"

class RemoteThreadImpl implements RemoteThread, ThreadLink {
  readonly link: ThreadLink = this
  /** Tasks after `reported`, up to `last`, are out; and when the last batch was sent. */
  private reported = 0
  private last = 0
  private sentAt = 0
  /** The memory for arguments. */
  private readonly chunks: Array<PayloadMemory | undefined> = []
  private readonly control: controlBlock.ControlBlock
  private readonly flags: remote.SharedFlagsView
  private readonly writer: remote.MessageWriter
  private readonly reader: remote.MessageReader
  private readonly events: ThreadEvents
  private readonly channel: SchedulerChannel

  constructor({ control, ...start }: protocol.ThreadStart, events: ThreadEvents, channel: SchedulerChannel) {
    this.control = controlBlock.view(control)
    this.flags = new remote.SharedFlagsView(channel.flags)
    this.writer = new remote.MessageWriter(channel.payloads, channel.encode)
    this.reader = new remote.MessageReader(channel.payloads, channel.decode)
    this.events = events
    this.channel = channel
    channel.send([channel.encode(start)])
  }

  readonly post = (message: unknown): void => {
    const { channel } = this
    const posted = message as protocol.ToThread
    switch (posted[0]) {
      case protocol.Run:
        return this.sendBatch(posted)
      case protocol.Chunk: {
        const [, index, memory] = posted
        this.chunks[index] = memory && new PayloadMemory(memory, channel.payloads)
        return
      }
      case protocol.Answer:
        if (posted[1] > 0 && channel.sendAnswer !== undefined) return channel.sendAnswer(channel.encode(posted))
    }
    this.writer.begin(remote.Protocol)
    this.writer.bytes(channel.encode(posted))
    channel.send(this.writer.end())
  }

  private sendBatch([, first, count, ...posted]: protocol.RunMessage): void {
    const { channel, control, writer } = this
    writer.begin(remote.Batch)
    writer.int32(first)
    writer.int32(count)
    let cursor = 0
    for (let i = 0; i < count; i++) {
      const sequence = controlBlock.plus(first, i)
      writer.int32(controlBlock.taskOf(control, sequence))
      const chunk = controlBlock.chunkOf(control, sequence)
      if (chunk >= 0) {
        writer.payload(this.chunks[chunk]!, controlBlock.argumentsAt(control, sequence))
      } else if (posted[cursor] === i) {
        const args = posted[cursor + 1]
        cursor += 2
        // Packed by the scheduler, unless the arguments are immutable.
        if (args instanceof Uint8Array) writer.encoded(args)
        else writer.value(args)
      } else {
        writer.value(controlBlock.argumentsOf(control, sequence))
      }
    }
    this.last = controlBlock.plus(first, count - 1)
    this.sentAt = channel.now()
    channel.send(writer.end())
  }

  /** Whether the thread has the task, and has not reported its end. */
  private isOut(sequence: number): boolean {
    return controlBlock.isUpTo(sequence, this.last) && !controlBlock.isUpTo(sequence, this.reported)
  }

  readonly refresh = (): void => {
    const { control, last, reported } = this
    if (reported === last || controlBlock.isEntered(control, last)) return
    const { flags } = this
    flags.read()
    const { claimed } = flags
    if (!this.isOut(claimed)) return
    // The thread claims tasks in their order: those before the last have ended there, or were taken back.
    for (let sequence = controlBlock.nextSequence(reported); sequence !== claimed;) {
      this.claim(sequence)
      if (controlBlock.isClaimed(control, sequence)) this.end(sequence, 0, 0)
      sequence = controlBlock.nextSequence(sequence)
    }
    this.claim(claimed)
    if (flags.entered !== claimed || !controlBlock.isClaimed(control, claimed)) return
    if (controlBlock.isEntered(control, claimed)) return
    // The time may have been read just before the thread wrote it, and belong to the task before.
    flags.read()
    if (flags.entered === claimed) controlBlock.enter(control, claimed, Math.max(flags.startedAt, this.sentAt))
  }

  /** Refused if the scheduler has taken the task back: the thread skips it. */
  private claim(sequence: number): void {
    controlBlock.claim(this.control, sequence)
  }

  private end(sequence: number, startTime: number, endTime: number): void {
    controlBlock.willPost(this.control, sequence)
    controlBlock.end(this.control, sequence, startTime, endTime)
  }

  readonly requestStop = (sequence: number): void => {
    if (!this.isOut(sequence)) return
    this.flags.writeStop(sequence)
    this.refresh()
  }

  // There is no compare-exchange between the two sides. The thread claims the task and then
  // checks whether it is wanted back; this side says that it wants it back and then checks
  // whether it was claimed. If both hold, the thread waits for the decision of this side,
  // which follows at once.
  readonly revoke = (sequence: number): boolean => {
    const { control, flags } = this
    this.refresh()
    if (!this.isOut(sequence) || !controlBlock.isOffered(control, sequence)) return false
    flags.writeRevoke(sequence, sequence)
    this.refresh()
    const offered = controlBlock.isOffered(control, sequence)
    flags.writeRevoke(sequence, offered ? -sequence : 0)
    return offered && controlBlock.revoke(control, sequence)
  }

  readonly onMessage = (message: Uint8Array): void => {
    const { channel, control, events, reader } = this
    let passedOn: unknown
    try {
      switch (reader.begin(message)) {
        case remote.Ended: {
          const sequence = reader.int32()
          const status = reader.byte()
          const startTime = reader.float64()
          const endTime = reader.float64()
          const heap = reader.float64()
          // A task ends once: further reports about it are dropped, and must not be taken for the next task's.
          if (!this.isOut(sequence)) return
          this.reported = sequence
          controlBlock.setHeap(control, heap)
          this.end(sequence, startTime, endTime)
          passedOn = [protocol.Progress, sequence, status, reader.value()]
          break
        }
        case remote.Passed: {
          const sequence = reader.int32()
          if (!this.isOut(sequence)) return
          this.reported = sequence
          controlBlock.skip(control, sequence)
          passedOn = [protocol.Progress]
          break
        }
        default:
          passedOn = channel.decode(reader.rest())
      }
    } catch (error) {
      return events.onMessageError(error)
    } finally {
      reader.forget()
    }
    events.onMessage(passedOn)
  }
}

/** Connects a thread that shares no memory. */
export const connect = (start: unknown, events: ThreadEvents, channel: SchedulerChannel): RemoteThread =>
  new RemoteThreadImpl(start as protocol.ThreadStart, events, channel)
