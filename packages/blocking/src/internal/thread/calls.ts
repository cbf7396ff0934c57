/**
 * How a body calls the program, from a thread that it blocks: it posts the call, and waits
 * for the answer with the thread's own hands, because the event loop cannot turn under it.
 *
 * Notifications wait for nothing, but at most so many of them are on their way: then the body
 * waits until all are handled. Those left at its end are waited for by the loop, so that each
 * is handled before the result is told.
 */
import type { ThreadPlatform } from "../../ThreadRunner.ts"
import { compact, explain, findUncloneable, NotCloneableError, refuseLost } from "../wire/cloneable.ts"
import * as controlBlock from "../wire/controlBlock.ts"
import { findMoved, transferables } from "../wire/moved.ts"
import * as protocol from "../wire/protocol.ts"
import { threadContext } from "./context.ts"

/** Notifications that are not known to be handled, at most. Arbitrary: some milliseconds of quick handlers. */
const defaultCapacity = 64

export class Caller {
  /** Notifications of the running body that are not known to be handled. */
  unhandled = 0
  /** Whether the running body was told, in the place of an answer, that it is to stop. */
  stopped = false
  /** Called before the thread is blocked. */
  beforeWait: (() => void) | undefined
  private last = 0
  /** Takes the answer to what the loop waits for. */
  private onFlushed: ((answer: protocol.AnswerMessage) => void) | undefined
  private readonly capacity: number
  private readonly platform: ThreadPlatform
  private readonly control: controlBlock.ControlBlock
  /** Takes a message that came while the thread was blocked, and is no answer. */
  private readonly onOther: (message: protocol.ToThread) => void

  constructor(
    platform: ThreadPlatform,
    control: controlBlock.ControlBlock,
    onOther: (message: protocol.ToThread) => void
  ) {
    this.platform = platform
    this.control = control
    this.onOther = onOther
    this.capacity = platform.notificationCapacity ?? defaultCapacity
  }

  /** Calls the program from the running body, and blocks the thread until it has answered. */
  call(callback: string, args: ReadonlyArray<unknown>): protocol.AnswerMessage {
    return this.blocking(callback, args)
  }

  /** Tells the program something. If too much of that is on its way, blocks the thread, and gives what came of it. */
  notify(callback: string, args: ReadonlyArray<unknown>): protocol.AnswerMessage | undefined {
    this.post(0, callback, args)
    this.unhandled++
    if (this.unhandled < this.capacity) return undefined
    this.unhandled = 0
    return this.blocking(undefined, [])
  }

  /** Behind the body: waits until all that it has told is handled. */
  flush(sequence: number): Promise<protocol.AnswerMessage> {
    this.unhandled = 0
    return new Promise((resolve) => {
      this.onFlushed = resolve
      this.platform.post(
        [protocol.Call, sequence, -++this.last, undefined, []] satisfies protocol.CallMessage,
        undefined
      )
    })
  }

  /** Takes an answer that came by the event loop. */
  onAnswer(answer: protocol.AnswerMessage): void {
    // One to a body that has been left is nobody's.
    if (answer[1] === -this.last) this.onFlushed?.(answer)
  }

  private blocking(callback: string | undefined, args: ReadonlyArray<unknown>): protocol.AnswerMessage {
    const { receive } = this.platform
    const call = ++this.last
    if (receive === undefined) return [protocol.Answer, call, protocol.Refused, cannotBlock]
    this.beforeWait?.()
    let wakes = controlBlock.wakes(this.control)
    this.post(call, callback, args)
    while (true) {
      const message = receive() as protocol.ToThread | undefined
      if (message === undefined) {
        controlBlock.awaitWake(this.control, wakes)
        wakes = controlBlock.wakes(this.control)
      } else if (message[0] !== protocol.Answer) {
        this.onOther(message)
      } else if (message[1] === call) {
        if (message[2] === protocol.Stopped) this.stopped = true
        return message
      }
    }
  }

  /** Sends what a body has yielded before it waits. `false`: some of it cannot cross. */
  sendElements(elements: ReadonlyArray<unknown>): boolean {
    try {
      this.post(0, protocol.outputKey, elements)
      return true
    } catch {
      return false
    }
  }

  private post(call: number, callback: string | undefined, args: ReadonlyArray<unknown>): void {
    const path = `${callback}.arguments`
    refuseLost(args, "argument", path)
    const { current, moved } = threadContext
    const values = moved && findMoved(args, moved)
    try {
      this.platform.post(
        [protocol.Call, current, call, callback, args.map(compact)] satisfies protocol.CallMessage,
        values && transferables(values)
      )
    } catch (error) {
      const found = findUncloneable(args, path, threadContext.clone) ?? { path, detail: explain(error) }
      throw new NotCloneableError("argument", found.path, found.detail)
    }
    // What is gone must not be moved again with the result.
    if (values !== undefined) { for (const value of values) moved!.delete(value) }
  }
}

const cannotBlock = "this platform has no way to wait for the program in the middle of a body"
