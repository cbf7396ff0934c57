/**
 * Threads that share no memory with the scheduler, such as processes: both halves of
 * what stands in for the control block.
 *
 * The scheduler's half (`connect`) keeps a control block of its own and writes into it
 * what the thread tells. The thread's half (`serve`) has one, too, and runs the same
 * `ThreadRunner` over it as any pool thread. Between them are messages, for what is
 * sent when it has happened, and a `Board`, for what one side has to know although the
 * other is in the middle of something: whether a task was claimed and entered, and
 * whether it is to stop.
 *
 * Messages carry values encoded by the platform. One that cannot be decoded then fails
 * its own task, and not the channel.
 *
 * Pool threads load this file: it imports no module of `effect`.
 *
 * @module
 * @stability unstable
 * @since 0.1.0
 */
import { describe, findUncloneable, isMutable, NotCloneableError } from "./internal/cloneable.ts"
import * as controlBlock from "./internal/controlBlock.ts"
import * as protocol from "./internal/protocol.ts"
import { threadContext } from "./internal/threadContext.ts"
import type { Thread, ThreadEvents, ThreadLink } from "./ThreadHost.ts"
import * as ThreadRunner from "./ThreadRunner.ts"

// -----------------------------------------------------------------------------
// Models
// -----------------------------------------------------------------------------

/**
 * A few bytes that both sides can read and write at any time, without the help of the
 * other: a file, for two processes.
 *
 * **Details**
 *
 * All bytes are 0 at first. What one side has written before it reads, the other sees
 * if it reads what it has not yet written: writes and reads are not reordered.
 *
 * @category models
 * @since 0.1.0
 */
export interface Board {
  /** Fills the bytes from that position on. */
  readonly read: (bytes: Uint8Array, position: number) => void
  readonly write: (bytes: Uint8Array, position: number) => void
}

/**
 * The size of a `Board`, in bytes.
 *
 * @category models
 * @since 0.1.0
 */
export const boardBytes = 24

/**
 * What both halves need of their platform.
 *
 * @category models
 * @since 0.1.0
 */
export interface Channel {
  readonly board: Board
  /** Sends an array of numbers and of what `encode` gave. Never throws: who sends to a thread that is gone hears of its exit. */
  readonly send: (message: unknown) => void
  /** Throws for a value that cannot cross. */
  readonly encode: (value: unknown) => Uint8Array
  readonly decode: (bytes: Uint8Array) => unknown
  /** Detaches what has been sent and was to be moved. */
  readonly detach: (transfer: Array<object>) => void
  /** Monotonic milliseconds, on the same clock on both sides. */
  readonly now: () => number
}

/**
 * What the thread's half needs besides.
 *
 * @category models
 * @since 0.1.0
 */
export interface RemotePlatform extends Channel, Pick<ThreadRunner.ThreadPlatform, "load" | "heapUsed" | "exit"> {
  /** The first message that came. */
  readonly start: unknown
}

/**
 * The scheduler's half of a thread: what the host makes its `Thread` of.
 *
 * @category models
 * @since 0.1.0
 */
export interface RemoteThread extends Pick<Thread, "post"> {
  readonly link: ThreadLink
  /** Takes a message that the thread sent. */
  readonly onMessage: (message: unknown) => void
}

// -----------------------------------------------------------------------------
// Messages and the board
// -----------------------------------------------------------------------------

/** To the thread, for each task: its sequence number, its index, its arguments. */
type RunMessage = readonly [sequence: number, task: number, args: unknown]
/** From the thread, for each task: what the control block would have told, and its result. */
type EndedMessage = readonly [
  tag: typeof ours,
  sequence: number,
  startTime: number,
  endTime: number,
  heap: number,
  status: number,
  value: unknown
]
// All others are those of the protocol, encoded as a whole.
type EncodedMessage = readonly [tag: typeof ours, bytes: Uint8Array]

/** A body can send messages of its own by the same channel: what has no such tag is nobody's. */
const ours = "~effect-blocking"

/** Sequence numbers, as in the control block: of the run that is asked to stop … */
const Stop = 0
/** … that the scheduler wants back; negative when it has it … */
const Revoke = 1
/** … that the thread has received … */
const Claimed = 2
/** … whose body it has entered. */
const Entered = 3
/** When it has, as Float64. */
const Started = 2

/** Where the thread's part of the board begins. */
const threadPart = Claimed * 4

class BoardView {
  private readonly bytes = new Uint8Array(boardBytes)
  readonly int32 = new Int32Array(this.bytes.buffer)
  readonly float64 = new Float64Array(this.bytes.buffer)
  private readonly board: Board

  constructor(board: Board) {
    this.board = board
  }

  read(): void {
    this.board.read(this.bytes, 0)
  }

  write(cell: number, sequence: number): void {
    this.int32[cell] = sequence
    this.board.write(this.bytes.subarray(cell * 4, cell * 4 + 4), cell * 4)
  }

  writeEntered(sequence: number, startedAt: number): void {
    this.int32[Entered] = sequence
    this.float64[Started] = startedAt
    this.board.write(this.bytes.subarray(threadPart), threadPart)
  }
}

/** What is not an object needs no encoding of ours. */
const unpack = (value: unknown, decode: Channel["decode"]): unknown =>
  value instanceof Uint8Array ? decode(value) : value

// -----------------------------------------------------------------------------
// The scheduler's half
// -----------------------------------------------------------------------------

class RemoteThreadImpl implements RemoteThread, ThreadLink {
  readonly link: ThreadLink = this
  /** The task that is out, 0 for none, and when it was sent. */
  private sequence = 0
  private sentAt = 0
  private readonly control: controlBlock.ControlBlock
  private readonly board: BoardView
  private readonly events: ThreadEvents
  private readonly channel: Channel

  constructor({ control, ...start }: protocol.ThreadStart, events: ThreadEvents, channel: Channel) {
    this.control = controlBlock.view(control)
    this.board = new BoardView(channel.board)
    this.events = events
    this.channel = channel
    channel.send(channel.encode(start))
  }

  readonly post = (message: unknown, transfer: Array<object> | undefined): void => {
    const { channel, control } = this
    const posted = message as protocol.ToThread
    if (posted[0] !== protocol.Run) return channel.send(channel.encode(posted))
    // One task at a time (`maxTasksPerThread`): the message has no other.
    const sequence = posted[1]
    const args = (posted[4] ?? controlBlock.argumentsOf(control, sequence)) as ReadonlyArray<unknown>
    let packed: unknown = args
    if (args.some(isMutable)) {
      try {
        packed = channel.encode(args)
      } catch (error) {
        // A structured clone, by which the scheduler would look for it, may well accept it.
        const found = findUncloneable(args, "arguments", channel.encode)
        throw new NotCloneableError("argument", found?.path ?? "arguments", found?.detail ?? describe(error))
      }
    }
    this.sequence = sequence
    this.sentAt = channel.now()
    channel.send([sequence, controlBlock.taskOf(control, sequence), packed] satisfies RunMessage)
    if (transfer !== undefined) channel.detach(transfer)
  }

  readonly refresh = (): void => {
    const { control, sequence } = this
    if (sequence === 0 || controlBlock.isEntered(control, sequence)) return
    const { board } = this
    board.read()
    if (board.int32[Claimed] !== sequence) return
    // Refused if the scheduler has taken the task back: the thread passes it over.
    controlBlock.claim(control, sequence)
    if (board.int32[Entered] !== sequence || !controlBlock.isClaimed(control, sequence)) return
    // A board that is read while it is written can still have the time of the former
    // task: then the time of sending is the nearest.
    controlBlock.enter(control, sequence, Math.max(board.float64[Started]!, this.sentAt))
  }

  readonly requestStop = (sequence: number): void => {
    if (sequence !== this.sequence) return
    this.board.write(Stop, sequence)
    this.refresh()
  }

  // There is no compare-exchange between the two. The thread claims the task and then
  // looks whether it is wanted back; this side says that it wants it back and then looks
  // whether it was claimed. If both have, the thread waits for the word of this side,
  // which follows at once.
  readonly revoke = (sequence: number): boolean => {
    const { board, control } = this
    this.refresh()
    if (sequence !== this.sequence || controlBlock.isClaimed(control, sequence)) return false
    board.write(Revoke, sequence)
    this.refresh()
    const claimed = controlBlock.isClaimed(control, sequence)
    board.write(Revoke, claimed ? 0 : -sequence)
    return !claimed && controlBlock.revoke(control, sequence)
  }

  readonly onMessage = (message: unknown): void => {
    const { channel, control, events } = this
    if (!Array.isArray(message) || message[0] !== ours) return
    const received = message as ReadonlyArray<unknown> as EndedMessage | EncodedMessage
    let passedOn: unknown
    try {
      if (received.length === 2) {
        passedOn = channel.decode(received[1])
      } else {
        const [, sequence, startTime, endTime, heap, status, value] = received
        this.sequence = 0
        controlBlock.setHeap(control, heap)
        controlBlock.willPost(control, sequence)
        controlBlock.end(control, sequence, startTime, endTime)
        passedOn = [protocol.Progress, sequence, status, unpack(value, channel.decode)]
      }
    } catch (error) {
      return events.onMessageError(error)
    }
    events.onMessage(passedOn)
  }
}

/**
 * Connects a thread that shares no memory: called by a host's `spawn`, with what that
 * was given, when the thread can be sent messages.
 *
 * **Details**
 *
 * Throws if what the thread is started with cannot cross. The host has to say
 * `maxTasksPerThread: 1`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const connect = (start: unknown, events: ThreadEvents, channel: Channel): RemoteThread =>
  new RemoteThreadImpl(start as protocol.ThreadStart, events, channel)

// -----------------------------------------------------------------------------
// The thread's half
// -----------------------------------------------------------------------------

/** How long a body that asks again and again does with one look at the board. Arbitrary: fifty times what that costs. */
const lookMillis = 0.05

/**
 * Starts the thread's loop, as `ThreadRunner.start` does in threads that share memory.
 *
 * @category constructors
 * @since 0.1.0
 */
export const serve = (platform: RemotePlatform): ThreadRunner.ThreadRunner => {
  const { board: boardOfPlatform, decode, encode, exit, heapUsed, load, now, send } = platform
  const { measureHeap, preload, threadData } = decode(platform.start as Uint8Array) as Omit<
    protocol.ThreadStart,
    "control"
  >
  const control = controlBlock.make()
  const board = new BoardView(boardOfPlatform)
  let current = 0
  let lookedAt = 0

  const look = (): void => {
    lookedAt = now()
    board.read()
    controlBlock.requestStop(control, board.int32[Stop]!)
  }

  const ended = (status: number, packed: unknown): void => {
    const startTime = controlBlock.startTime(control, current)
    const endTime = controlBlock.endTime(control, current)
    const heap = measureHeap ? heapUsed() : 0
    send([ours, current, startTime, endTime, heap, status, packed] satisfies EndedMessage)
  }

  const post = (message: unknown, transfer: Array<object> | undefined): void => {
    const posted = message as protocol.FromThread
    if (posted[0] !== protocol.Progress) return send([ours, encode(posted)] satisfies EncodedMessage)
    // Without a result of its own the message says that there is one in the block.
    if (posted.length === 1) return ended(protocol.Succeeded, controlBlock.result(control, current))
    const [, , status, value] = posted
    ended(status, isMutable(value) ? encode(value) : value)
    if (transfer !== undefined) platform.detach(transfer)
  }

  threadContext.clone = encode
  threadContext.refresh = () => {
    if (now() - lookedAt >= lookMillis) look()
  }
  const runner = ThreadRunner.start({
    start: {
      control: control.int32.buffer as SharedArrayBuffer,
      preload,
      threadData,
      measureHeap: false
    } satisfies protocol.ThreadStart,
    post,
    load,
    now,
    heapUsed,
    exit,
    onEnter: (sequence, startedAt) => {
      board.writeEntered(sequence, startedAt)
      look()
    }
  })

  return {
    onStrayError: runner.onStrayError,
    onMessage: (message) => {
      if (message instanceof Uint8Array) return runner.onMessage(decode(message))
      const [sequence, task, packed] = message as RunMessage
      current = sequence
      controlBlock.offer(control, sequence, task, noArguments)
      board.write(Claimed, sequence)
      // The scheduler may just be taking the task back, and says in a moment whether it has.
      do look()
      while (board.int32[Revoke] === sequence)
      if (board.int32[Revoke] === -sequence) {
        controlBlock.end(control, sequence, 0, now())
        return ended(protocol.Stopped, undefined)
      }
      let args: unknown
      try {
        args = unpack(packed, decode)
      } catch (error) {
        const uncloneable: protocol.NotCloneableValue = { side: "argument", path: "arguments", detail: describe(error) }
        controlBlock.end(control, sequence, 0, now())
        return ended(protocol.NotCloneable, encode(uncloneable))
      }
      runner.onMessage([protocol.Run, sequence, 1, 0, args] satisfies protocol.RunMessage)
    }
  }
}

const noArguments: ReadonlyArray<unknown> = []
