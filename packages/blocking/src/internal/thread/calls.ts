/**
 * How a body calls the program, from a thread that it blocks: it posts the call, and waits
 * for the answer with the thread's own hands, because the event loop cannot turn under it.
 *
 * A body that can be left at a `yield` calls without blocking anything: it is left there, and
 * resumed with the answer.
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

/** A call of a body that is left until the program has answered. */
export interface Question {
  readonly callback: string
  readonly args: ReadonlyArray<unknown>
}

export class Caller {
  /** Notifications of the running body that are not known to be handled. */
  unhandled = 0
  /** Whether the running body was told, in the place of an answer, that it is to stop. */
  stopped = false
  /** Called before the thread is blocked. Only a body that can be left has it. */
  beforeWait: (() => void) | undefined
  /** What the running body is about to yield, to be left there. */
  private question: Question | undefined
  private last = 0
  /** Who takes the answers that come by the event loop. */
  private readonly takers = new Map<number, (answer: protocol.AnswerMessage) => void>()
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
      const call = -++this.last
      this.takers.set(call, resolve)
      this.platform.post([protocol.Call, sequence, call, undefined, []] satisfies protocol.CallMessage, undefined)
    })
  }

  /** What the running body has to yield to call the program without blocking the thread. `undefined`: it cannot be left. */
  prepare(callback: string, args: ReadonlyArray<unknown>): Question | undefined {
    if (this.beforeWait === undefined) return undefined
    return this.question = { callback, args }
  }

  /** Whether the body has yielded its question. There is none any more. */
  isQuestion(value: unknown): value is Question {
    const { question } = this
    this.question = undefined
    return question !== undefined && question === value
  }

  /** Calls the program for the running body, which is to be left. Gives the number of the call. Throws for arguments that cannot cross. */
  ask({ args, callback }: Question, take: (answer: protocol.AnswerMessage) => void): number {
    const call = -++this.last
    this.post(call, callback, args)
    this.takers.set(call, take)
    return call
  }

  /** Nobody waits for that answer any more. */
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

  /** Sends what a body has yielded, from within it. `false`: some of it cannot cross, which is told when the body is left. */
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
    // What is gone must not be moved again with the result.
    if (found !== undefined) { for (const value of found) moved!.delete(value) }
  }
}

const cannotBlock = "this platform has no way to wait for the program in the middle of a body"
