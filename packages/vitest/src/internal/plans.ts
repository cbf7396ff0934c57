/** The stubs, failures and holds that a test has set up for its tasks. */
import type { JoinErrorReason } from "effect-blocking/JoinError"
import * as Deferred from "effect/Deferred"
import * as Exit from "effect/Exit"
import type { SimulatedHost, SimulatedThread } from "./simulatedHost.ts"

export interface TaskId {
  readonly module: string
  readonly name: string
}

export type Body = (...args: ReadonlyArray<never>) => unknown

export interface HoldOptions {
  /** Whether the thread cannot be terminated while it is held. */
  readonly native: boolean
  /** If given, holds only runs of that pool. */
  readonly host?: SimulatedHost
}

/** A hold of one run: armed, then held by a thread, then over. */
export class Hold {
  readonly started = Deferred.makeUnsafe<void>()
  readonly task: TaskId
  readonly options: HoldOptions
  state:
    | { readonly _tag: "Armed" }
    | {
      readonly _tag: "Held"
      readonly thread: SimulatedThread
      readonly reason: JoinErrorReason | undefined
      readonly go: (reason: JoinErrorReason | undefined) => void
    }
    | { readonly _tag: "Over" } = { _tag: "Armed" }

  constructor(task: TaskId, options: HoldOptions) {
    this.task = task
    this.options = options
  }

  /** Whether the run still waits for the test. A run on an abandoned thread does not count. */
  get isUnreleased(): boolean {
    return this.state._tag === "Held" && !this.state.thread.isAbandoned
  }

  /** Called when the run is held. */
  onHeld = (): void => {}

  /** Cancels the hold if no run is held yet. */
  disarm(): void {
    if (this.state._tag === "Armed") this.state = { _tag: "Over" }
  }

  /** Lets the held run continue, or cancels the hold if no run is held yet. */
  release(): void {
    const { state } = this
    this.state = { _tag: "Over" }
    if (state._tag === "Held" && state.thread.unstick()) state.go(state.reason)
  }
}

export class Plans {
  private readonly stubs = new Map<string, Body>()
  private readonly failures = new Map<string, Array<JoinErrorReason>>()
  private holds: ReadonlyArray<Hold> = []

  stub(task: TaskId, body: Body): void {
    this.stubs.set(idOf(task), body)
  }

  stubOf(module: string, name: string): Body | undefined {
    return this.stubs.get(idOf({ module, name }))
  }

  failNext(task: TaskId, reason: JoinErrorReason): void {
    const id = idOf(task)
    this.failures.set(id, [...this.failures.get(id) ?? [], reason])
  }

  /** Removes a failure that was not used. */
  removeFailure(task: TaskId, reason: JoinErrorReason): void {
    const id = idOf(task)
    this.failures.set(id, (this.failures.get(id) ?? []).filter((other) => other !== reason))
  }

  hold(task: TaskId, options: HoldOptions): Hold {
    const hold = new Hold(task, options)
    this.holds = [...this.holds.filter(({ state }) => state._tag !== "Over"), hold]
    return hold
  }

  /** Runs held on the threads of a host, in the order of the `hold` calls. */
  heldOn(host: SimulatedHost): ReadonlyArray<Hold> {
    return this.holds.filter(({ state }) => state._tag === "Held" && state.thread.host === host)
  }

  /** The thread of a run that is held now. */
  held(task: TaskId | undefined): SimulatedThread | undefined {
    for (const { state, task: held } of this.holds) {
      if (state._tag === "Held" && (task === undefined || idOf(task) === idOf(held))) return state.thread
    }
    return undefined
  }

  onBody(module: string, name: string, thread: SimulatedThread): Promise<JoinErrorReason | undefined> | undefined {
    const id = idOf({ module, name })
    const reason = this.failures.get(id)?.shift()
    const hold = this.holds.find(({ options, state, task }) =>
      state._tag === "Armed" && idOf(task) === id && (options.host ?? thread.host) === thread.host
    )
    if (hold === undefined) return reason === undefined ? undefined : Promise.resolve(reason)
    return new Promise((go) => {
      hold.state = { _tag: "Held", thread, reason, go }
      thread.stuck = hold.options.native
      hold.onHeld()
      Deferred.doneUnsafe(hold.started, Exit.void)
    })
  }

  /** Ends the holds on a thread that has exited. */
  onExit(thread: SimulatedThread): void {
    for (const hold of this.holds) {
      if (hold.state._tag === "Held" && hold.state.thread === thread) hold.state = { _tag: "Over" }
    }
  }
}

const idOf = ({ module, name }: TaskId): string => `${module}\n${name}`
