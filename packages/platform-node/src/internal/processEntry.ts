/**
 * What a pool process runs. Exports nothing and imports little: it is the start-up cost
 * of every process.
 */
import * as RemoteThread from "effect-blocking/RemoteThread"
import { getHeapStatistics } from "node:v8"
import { Worker } from "node:worker_threads"
import { sharedClock } from "./clock.ts"
import { decode, detach, encode } from "./processValues.ts"
import * as SharedFile from "./sharedFile.ts"

process.title = process.argv[2]!

const parent = process.ppid

// A terminal and a service manager send these to the whole group. What becomes of the
// running tasks is for the parent to decide.
const ignore = (): void => {}
process.on("SIGINT", ignore)
process.on("SIGTERM", ignore)

/** Where `processHost` puts the shared file among the descriptors. */
const flagsFd = 4

let retiring = false

process.once("message", (start) => {
  const { onMessage, onUncaught } = RemoteThread.serve({
    start,
    flags: SharedFile.open(flagsFd),
    encode,
    decode,
    detach,
    now: sharedClock(),
    heapUsed: () => getHeapStatistics().used_heap_size,
    load: (url) => import(url),
    // Without a callback an error, that of a parent that is gone, would be thrown.
    send: (message) => void process.send!(message, undefined, undefined, ignore),
    // The event loop ends with the channel, unless a body left something open: then the
    // scheduler kills the process.
    exit: () => {
      retiring = true
      process.disconnect()
    }
  })
  process.on("message", onMessage)
  process.on("uncaughtException", onUncaught)
  process.on("unhandledRejection", onUncaught)
  // The first task may come, and never return, at any time from now on.
  setImmediate(watchParent)
})

process.once("disconnect", () => {
  if (!retiring) process.exit()
})

/**
 * Ends this process when its parent is gone, although it may be in a body that never
 * returns: a parent that is killed tells nobody, and closes a channel that a busy event
 * loop does not look at. Whoever has lost its parent gets another.
 *
 * A thread is the only thing that runs beside a body. It waits in JavaScript's event
 * loop, where `process.exit` of a body can end it.
 */
const watchParent = (): void => {
  // The permission model refuses threads without `--allow-worker`.
  if (process.permission?.has("worker") === false) return
  const watchdog = new Worker(
    `setInterval(() => {
      if (process.ppid !== ${parent}) process.kill(process.pid, "SIGKILL")
    }, ${parentPollMillis})`,
    {
      eval: true,
      name: "effect-blocking-watchdog",
      env: {},
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: 1, maxOldGenerationSizeMb: 8 }
    }
  )
  // Without it the pool works all the same.
  watchdog.on("error", ignore)
  watchdog.unref()
}

/** How long an orphan lives at most. Arbitrary: a look costs some microseconds. */
const parentPollMillis = 250
