/** The tasks that a pool has seen: each has a number, by which its threads know it, and a mean run time. */
import type { ResolvedTask } from "../task/resolved.ts"
import type { LoopKind } from "../wire/loops.ts"

/** The weight of one run in the mean time of its task. Arbitrary: forgets an outlier in about twenty runs. */
const meanWeight = 0.2

export class TaskDefinition {
  /** How long its body runs, in milliseconds; infinite before its first run: no task should wait behind it. */
  meanMillis = Infinity
  readonly index: number
  readonly module: string
  readonly name: string
  /** The kind of loop that it is run as, over many items: then its times are those of the loop. */
  readonly loop: LoopKind | undefined

  constructor(index: number, module: string, name: string, loop?: LoopKind) {
    this.index = index
    this.module = module
    this.name = name
    this.loop = loop
  }

  learn(millis: number): void {
    const mean = this.meanMillis
    this.meanMillis = mean === Infinity ? millis : mean + (millis - mean) * meanWeight
  }
}

export class TaskDefinitions {
  private readonly byId = new Map<string, TaskDefinition>()
  private readonly byTask = new WeakMap<ResolvedTask, TaskDefinition>()
  /** Most tasks are submitted many times in a row. */
  private lastTask: ResolvedTask | undefined
  private last: TaskDefinition | undefined

  /** One for all variants of a task: options are the scheduler's business, a thread has only the body. */
  of(task: ResolvedTask): TaskDefinition {
    if (task === this.lastTask) return this.last!
    let definition = this.byTask.get(task)
    if (definition === undefined) {
      const id = `${task.module}\n${task.name}\n${task.loop ?? ""}`
      definition = this.byId.get(id)
      if (definition === undefined) {
        this.byId.set(id, definition = new TaskDefinition(this.byId.size, task.module, task.name, task.loop))
      }
      this.byTask.set(task, definition)
    }
    this.lastTask = task
    return this.last = definition
  }
}
