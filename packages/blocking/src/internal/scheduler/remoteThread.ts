/** The scheduler's half of a thread that shares no memory: what stands in for the control block. */
import type { Channel, RemoteThread } from "../../RemoteThread.ts"
import type { ThreadEvents, ThreadLink } from "../../ThreadHost.ts"
import * as controlBlock from "../wire/controlBlock.ts"
import * as protocol from "../wire/protocol.ts"
import * as remote from "../wire/remote.ts"

class RemoteThreadImpl implements RemoteThread, ThreadLink {
  readonly link: ThreadLink = this
  /** The task that is out, 0 for none, and when it was sent. */
  private sequence = 0
  private sentAt = 0
  /** How many calls have come, and what came before a call that was sent earlier. */
  private calls = 0
  private early: remote.EndedMessage | undefined
  private readonly control: controlBlock.ControlBlock
  private readonly flags: remote.SharedFlagsView
  private readonly events: ThreadEvents
  private readonly channel: Channel

  constructor({ control, ...start }: protocol.ThreadStart, events: ThreadEvents, channel: Channel) {
    this.control = controlBlock.view(control)
    this.flags = new remote.SharedFlagsView(channel.flags)
    this.events = events
    this.channel = channel
    channel.send(channel.encode(start))
  }

  readonly post = (message: unknown): void => {
    const { channel, control } = this
    const posted = message as protocol.ToThread
    if (posted[0] === protocol.Answer && posted[1] > 0 && channel.sendCall !== undefined) {
      return channel.sendCall(channel.encode(posted))
    }
    if (posted[0] !== protocol.Run) return channel.send(channel.encode(posted))
    // One task at a time (`maxTasksPerThread`): the message has no other.
    const sequence = posted[1]
    // Packed by the scheduler, unless nobody can change them.
    const args = posted[4] ?? controlBlock.argumentsOf(control, sequence)
    this.sequence = sequence
    this.sentAt = channel.now()
    channel.send([sequence, controlBlock.taskOf(control, sequence), args] satisfies remote.RunMessage)
  }

  readonly refresh = (): void => {
    const { control, sequence } = this
    if (sequence === 0 || controlBlock.isEntered(control, sequence)) return
    const { flags } = this
    flags.read()
    if (flags.int32[remote.Claimed] !== sequence) return
    // Refused if the scheduler has taken the task back: the thread passes it over.
    controlBlock.claim(control, sequence)
    if (flags.int32[remote.Entered] !== sequence || !controlBlock.isClaimed(control, sequence)) return
    // Flags that are read while it is written can still have the time of the former
    // task: then the time of sending is the nearest.
    controlBlock.enter(control, sequence, Math.max(flags.float64[remote.Started]!, this.sentAt))
  }

  readonly requestStop = (sequence: number): void => {
    if (sequence !== this.sequence) return
    this.flags.write(remote.Stop, sequence)
    this.refresh()
  }

  // There is no compare-exchange between the two. The thread claims the task and then
  // looks whether it is wanted back; this side says that it wants it back and then looks
  // whether it was claimed. If both have, the thread waits for the word of this side,
  // which follows at once.
  readonly revoke = (sequence: number): boolean => {
    const { control, flags } = this
    this.refresh()
    if (sequence !== this.sequence || controlBlock.isClaimed(control, sequence)) return false
    flags.write(remote.Revoke, sequence)
    this.refresh()
    const claimed = controlBlock.isClaimed(control, sequence)
    flags.write(remote.Revoke, claimed ? 0 : -sequence)
    return !claimed && controlBlock.revoke(control, sequence)
  }

  readonly onCall = (bytes: Uint8Array): void => {
    this.calls++
    this.onMessage([bytes] satisfies remote.EncodedMessage)
    const { early } = this
    if (early === undefined || early[4] > this.calls) return
    this.early = undefined
    this.onMessage(early)
  }

  readonly onMessage = (message: unknown): void => {
    const { channel, control, events } = this
    const received = message as remote.EndedMessage | remote.EncodedMessage
    let passedOn: unknown
    try {
      if (received.length === 1) {
        passedOn = channel.decode(received[0])
      } else {
        const [sequence, startTime, endTime, heap, calls, status, value] = received
        // A task ends once: what else is told of it is for nobody, least of all for the next.
        if (sequence !== this.sequence) return
        if (calls > this.calls) {
          this.early = received
          return
        }
        this.sequence = 0
        controlBlock.setHeap(control, heap)
        controlBlock.willPost(control, sequence)
        controlBlock.end(control, sequence, startTime, endTime)
        passedOn = [protocol.Progress, sequence, status, remote.unpack(value, channel.decode)]
      }
    } catch (error) {
      return events.onMessageError(error)
    }
    events.onMessage(passedOn)
  }
}

/** Connects a thread that shares no memory. */
export const connect = (start: unknown, events: ThreadEvents, channel: Channel): RemoteThread =>
  new RemoteThreadImpl(start as protocol.ThreadStart, events, channel)
