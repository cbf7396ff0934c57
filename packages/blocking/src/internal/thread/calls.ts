/**
 * How a body calls the program, from a thread that it blocks: it posts the call, and reads
 * the answer from the port itself, because the event loop cannot turn meanwhile.
 *
 * A body that can be left at a `yield` calls without blocking anything: it is left there, and
 * resumed with the answer.
 *
 * Notifications do not wait, but only a limited number can be on their way: beyond it, the body
 * waits until all are handled. The loop waits for those left at the end of the body, so that each
 * is handled before the result is reported.
 */
import type { ThreadPlatform } from "../../ThreadRunner.ts"
import { compact, explain, findUncloneable, NotCloneableError, refuseLost } from "../wire/cloneable.ts"
import * as controlBlock from "../wire/controlBlock.ts"
import { findMoved, transferables } from "../wire/moved.ts"
import * as protocol from "../wire/protocol.ts"
import { threadContext } from "./context.ts"

/** How many notifications may be unhandled. Arbitrary: a few milliseconds of quick handlers. */
const defaultCapacity = 64

/** A call of a body that is left until the program has answered. */
export interface Question {
  readonly callback: string
  readonly args: ReadonlyArray<unknown>
}

export class Caller {
  /** Notifications of the running body that are not known to be handled. */
  unhandled = 0
  /** Whether the running body got a stop instead of an answer. */
  stopped = false
  /** Called before the thread blocks. Set only for a body that can be left. */
  beforeWait: (() => void) | undefined
  /** The call that the running body is about to yield. */
  private question: Question | undefined
  private last = 0
  /** Callbacks for answers that come by the event loop. */
  private readonly takers = new Map<number, (answer: protocol.AnswerMessage) => void>()
  private readonly capacity: number
  private readonly platform: ThreadPlatform
  private readonly control: controlBlock.ControlBlock
  /** Takes a message other than an answer that came while the thread was blocked. */
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

  /** Calls the program from the running body, and blocks the thread until the answer. */
  call(callback: string, args: ReadonlyArray<unknown>): protocol.AnswerMessage {
    return this.blocking(callback, args)
  }

  /** Notifies the program. If too many notifications are on their way, blocks the thread, and returns the answer. */
  notify(callback: string, args: ReadonlyArray<unknown>): protocol.AnswerMessage | undefined {
    this.post(0, callback, args)
    this.unhandled++
    if (this.unhandled < this.capacity) return undefined
    this.unhandled = 0
    return this.blocking(undefined, [])
  }

  /** After the body: waits until all its notifications are handled. */
  flush(sequence: number): Promise<protocol.AnswerMessage> {
    this.unhandled = 0
    return new Promise((resolve) => {
      const call = -++this.last
      this.takers.set(call, resolve)
      this.platform.post([protocol.Call, sequence, call, undefined, []] satisfies protocol.CallMessage, undefined)
    })
  }

  /** The value that the running body has to yield to call the program without blocking the thread. `undefined`: the body cannot be left. */
  prepare(callback: string, args: ReadonlyArray<unknown>): Question | undefined {
    if (this.beforeWait === undefined) return undefined
    return this.question = { callback, args }
  }

  /** Whether the body has yielded the prepared call, which this clears. */
  isQuestion(value: unknown): value is Question {
    const { question } = this
    this.question = undefined
    return question !== undefined && question === value
  }

  /** Calls the program for the running body, which is then left. Returns the number of the call. Throws for arguments that cannot cross. */
  ask({ args, callback }: Question, take: (answer: protocol.AnswerMessage) => void): number {
    const call = -++this.last
    this.post(call, callback, args)
    this.takers.set(call, take)
    return call
  }

  /** The answer is no longer needed. */
  forget(call: number): void {
    this.takers.delete(call)
  }

  /** Takes an answer that came by the event loop. */
  onAnswer(answer: protocol.AnswerMessage): void {
    const take = this.takers.get(answer[1])
    this.takers.delete(answer[1])
    take?.(answer)
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
      } else if (message[0] !== protocol.Answer || message[1] < 0) {
        this.onOther(message)
      } else if (message[1] === call) {
        if (message[2] === protocol.Stopped) this.stopped = true
        return message
      }
    }
  }

  /** Sends yielded elements while the body runs. `false`: one of them cannot cross, which is reported when the body is left. */
  sendElements(elements: ReadonlyArray<unknown>): boolean {
    try {
      this.send(0, protocol.outputKey, elements)
      return true
    } catch {
      return false
    }
  }

  private post(call: number, callback: string | undefined, args: ReadonlyArray<unknown>): void {
    const path = `${callback}.arguments`
    refuseLost(args, "argument", path)
    try {
      this.send(call, callback, args.map(compact))
    } catch (error) {
      const found = findUncloneable(args, path, threadContext.clone) ?? { path, detail: explain(error) }
      throw new NotCloneableError("argument", found.path, found.detail)
    }
  }

  private send(call: number, callback: string | undefined, values: ReadonlyArray<unknown>): void {
    const { current, moved } = threadContext
    const found = moved && findMoved(values, moved)
    this.platform.post(
      [protocol.Call, current, call, callback, values] satisfies protocol.CallMessage,
      found && transferables(found)
    )
    // Values that were moved must not be moved again with the result.
    if (found !== undefined) { for (const value of found) moved!.delete(value) }
  }
}

const cannotBlock = "this platform has no way to wait for the program in the middle of a body"
