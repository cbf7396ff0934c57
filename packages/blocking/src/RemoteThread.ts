/**
 * Threads that share no memory with the scheduler, such as processes: both halves of the replacement for the
 * control block.
 *
 * The scheduler's half (`connect`) keeps a control block of its own and writes the thread's reports into it.
 * The thread's half (`serve`) has a control block too, and runs the same `ThreadRunner` over it as any pool
 * thread. The halves exchange messages for events, and `SharedFlags` for state that one side must read while
 * the other is busy: whether a task was claimed, entered, or asked to stop.
 *
 * Messages carry values as payloads, or encoded by the platform, so a value that cannot be decoded fails its
 * own task and not the channel.
 *
 * Pool threads load this module, so it imports no module of `effect`.
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
   * A few bytes that both sides can read and write at any time without the other's help. Two processes use a
   * file.
   *
   * **Details**
   *
   * All bytes are 0 at first. Writes and reads are not reordered: if each side writes and then reads, at
   * least one of them sees the other's write.
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
 * The platform functions that both halves need.
 *
 * @category models
 * @since 0.1.0
 */
export interface Channel {
  readonly flags: SharedFlags
  /**
   * Sends a message, whose parts arrive as one, over a channel that no body can use. Never throws: for a
   * thread that is gone, its exit is reported instead. The bytes are reused after the call. A message sent by
   * a thread still arrives if the thread ends after the call.
   */
  readonly send: (message: ReadonlyArray<Uint8Array>) => void
  /** Encodes a value that a payload cannot hold. Throws for a value that cannot cross. */
  readonly encode: (value: unknown) => Uint8Array
  readonly decode: (bytes: Uint8Array) => unknown
  /** Monotonic milliseconds, on the same clock on both sides. */
  readonly now: () => number
  readonly payloads: PayloadPlatform
}

/**
 * The further platform functions that the scheduler's half needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface SchedulerChannel extends Channel {
  /**
   * Sends encoded answers to waiting bodies, over a channel that needs no event loop in the thread. Without
   * this function and `receiveAnswer`, bodies cannot wait for the program.
   */
  readonly sendAnswer?: ((bytes: Uint8Array) => void) | undefined
}

/**
 * The further platform functions that the thread's half needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface RemotePlatform
  extends Channel, Pick<ThreadRunner.ThreadPlatform, "load" | "heapUsed" | "exit" | "abort">
{
  /** The first message received. */
  readonly start: Uint8Array
  /** Blocks until an answer has arrived. */
  readonly receiveAnswer?: (() => Uint8Array) | undefined
}

/**
 * The entry points through which the platform drives a running thread.
 *
 * @category models
 * @since 0.1.0
 */
export interface RemoteRunner extends Omit<ThreadRunner.ThreadRunner, "onMessage"> {
  /** Handles a message from the scheduler. Returns `false` if its bytes are still needed and must not change. */
  readonly onMessage: (message: Uint8Array) => boolean
}

/**
 * The scheduler's half of a thread, from which the host makes its `Thread`.
 *
 * @category models
 * @since 0.1.0
 */
export interface RemoteThread extends Pick<Thread, "post"> {
  readonly link: ThreadLink
  /** Handles a message from the thread. Its bytes are no longer needed after the call. */
  readonly onMessage: (message: Uint8Array) => void
}

// -----------------------------------------------------------------------------
// Constructors
// -----------------------------------------------------------------------------

/**
 * Connects a thread that shares no memory. A host's `spawn` calls it with its own arguments once the thread
 * can receive messages.
 *
 * **Details**
 *
 * Throws if `start` cannot cross.
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
