/**
 * Threads that share no memory with the scheduler, such as processes: both halves of
 * what stands in for the control block.
 *
 * The scheduler's half (`connect`) keeps a control block of its own and writes into it
 * what the thread tells. The thread's half (`serve`) has one, too, and runs the same
 * `ThreadRunner` over it as any pool thread. Between them are messages, for what is
 * sent when it has happened, and `SharedFlags`, for what one side has to know although the
 * other is in the middle of something: whether a task was claimed and entered, and
 * whether it is to stop.
 *
 * Messages carry values as payloads, or encoded by the platform. One that cannot be decoded then
 * fails its own task, and not the channel.
 *
 * Pool threads load this file: it imports no module of `effect`.
 *
 * @module
 * @stability unstable
 * @since 0.1.0
 */
import * as scheduler from "./internal/scheduler/remoteThread.ts"
import * as thread from "./internal/thread/remote.ts"
import type { PayloadPlatform } from "./internal/wire/payload.ts"
import type { SharedFlags } from "./internal/wire/remote.ts"
import type { Thread, ThreadEvents, ThreadLink } from "./ThreadHost.ts"
import type * as ThreadRunner from "./ThreadRunner.ts"

// -----------------------------------------------------------------------------
// Models
// -----------------------------------------------------------------------------

export {
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
  type SharedFlags,
  /**
   * The size of `SharedFlags`, in bytes.
   *
   * @category models
   * @since 0.1.0
   */
  sharedFlagsBytes
} from "./internal/wire/remote.ts"

/**
 * What both halves need of their platform.
 *
 * @category models
 * @since 0.1.0
 */
export interface Channel {
  readonly flags: SharedFlags
  /**
   * Sends a message, whose parts arrive as one, by a way that no body can use. Never throws: who sends to a thread
   * that is gone hears of its exit. The bytes are another message's when it returns; what a thread sends is then on its way, and arrives
   * although the thread ends.
   */
  readonly send: (message: ReadonlyArray<Uint8Array>) => void
  /** Throws for a value that cannot cross. Asked for values that have no place in a payload. */
  readonly encode: (value: unknown) => Uint8Array
  readonly decode: (bytes: Uint8Array) => unknown
  /** Monotonic milliseconds, on the same clock on both sides. */
  readonly now: () => number
  readonly payloads: PayloadPlatform
}

/**
 * What the scheduler's half needs besides.
 *
 * @category models
 * @since 0.1.0
 */
export interface SchedulerChannel extends Channel {
  /**
   * Sends answers for which bodies wait, encoded, by a way of their own that needs no event loop in the thread.
   * Without it, and `receiveAnswer`, bodies cannot wait for the program.
   */
  readonly sendAnswer?: ((bytes: Uint8Array) => void) | undefined
}

/**
 * What the thread's half needs besides.
 *
 * @category models
 * @since 0.1.0
 */
export interface RemotePlatform
  extends Channel, Pick<ThreadRunner.ThreadPlatform, "load" | "heapUsed" | "exit" | "abort">
{
  /** The first message that came. */
  readonly start: Uint8Array
  /** Blocks until an answer has come. */
  readonly receiveAnswer?: (() => Uint8Array) | undefined
}

/**
 * What the platform passes on to a running thread.
 *
 * @category models
 * @since 0.1.0
 */
export interface RemoteRunner extends Omit<ThreadRunner.ThreadRunner, "onMessage"> {
  /** Takes a message that the scheduler sent. `false`: its bytes are still to be read, and must stay as they are. */
  readonly onMessage: (message: Uint8Array) => boolean
}

/**
 * The scheduler's half of a thread: what the host makes its `Thread` of.
 *
 * @category models
 * @since 0.1.0
 */
export interface RemoteThread extends Pick<Thread, "post"> {
  readonly link: ThreadLink
  /** Takes a message that the thread sent. Its bytes are read when it returns. */
  readonly onMessage: (message: Uint8Array) => void
}

// -----------------------------------------------------------------------------
// Constructors
// -----------------------------------------------------------------------------

/**
 * Connects a thread that shares no memory: called by a host's `spawn`, with what that
 * was given, when the thread can be sent messages.
 *
 * **Details**
 *
 * Throws if what the thread is started with cannot cross.
 *
 * @category constructors
 * @since 0.1.0
 */
export const connect: (start: unknown, events: ThreadEvents, channel: SchedulerChannel) => RemoteThread =
  scheduler.connect

/**
 * Starts the thread's loop, as `ThreadRunner.start` does in threads that share memory.
 *
 * @category constructors
 * @since 0.1.0
 */
export const serve: (platform: RemotePlatform) => RemoteRunner = thread.serve
