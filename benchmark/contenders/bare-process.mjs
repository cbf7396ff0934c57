/**
 * No library: `child_process.fork` with advanced serialization, one message each way per task,
 * processes in turn.
 */
import { Effect } from "effect"
import { fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"

const entry = fileURLToPath(new URL("./bare-process.worker.mjs", import.meta.url))

/** Starts a process, and waits for its first message. */
const startProcess = async () => {
  const child = fork(entry, { serialization: "advanced" })
  await once(child, "message")
  return child
}

export const start = async ({ threads }) => {
  const processes = await Promise.all(Array.from({ length: threads }, startProcess))
  const waiting = new Map()
  for (const child of processes) {
    child.on("message", ([id, value]) => {
      const resume = waiting.get(id)
      waiting.delete(id)
      resume(Effect.succeed(value))
    })
  }
  let nextId = 0
  return {
    run: (task, ...args) =>
      Effect.callback((resume) => {
        const id = nextId++
        waiting.set(id, resume)
        processes[id % threads].send([id, task, args])
      }),
    close: async () => {
      for (const child of processes) child.disconnect()
    }
  }
}
