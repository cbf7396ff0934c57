/**
 * A program that is watched for stalls of its event loop, with a threshold of 100 ms. Idle: the processor time of
 * its process, its watcher included. At half load: the processor time of the same work, and how late the event loop is.
 * While it is held: how much longer a computation of about 600 ms takes because its stack is taken.
 */
import { monitorEventLoopDelay } from "node:perf_hooks"
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises"
import { waves } from "../contenders/bodies.mjs"
import { equal } from "../measure.mjs"
import { self } from "../names.mjs"
import { perMicro } from "./parallel100.mjs"

export const title = "A watchdog of the event loop"

export const folder = "devtools"
export const limitMillis = 60_000

export const contenders = [self, "unwatched", "heartbeat", "sentry", "blocked-at"]

export const metrics = [
  { key: "idle", label: "processor time of an idle program, %", better: "less" },
  { key: "busy", label: "processor time of the same work, ms", better: "less" },
  { key: "delay", label: "event-loop delay at half load, p99, ms", better: "less" },
  { key: "held", label: "a computation of 600 ms of which the stack is taken, ms", better: "less" },
  { key: "told", label: "stalls told of, with a stack", better: "more" }
]

const thresholdMillis = 100

const cpuMillis = () => {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1000
}

/** Some milliseconds of promises, turns and computation, as in a server. */
const request = async () => {
  let sum = 0
  for (let i = 0; i < promises; i++) sum += await i
  await nextTurn()
  compute(3000)
  return sum
}

const promises = 3000

/** About that many microseconds. */
const compute = (micros) => {
  for (let i = 0; i < micros; i += 100) waves(100 * perMicro)
}

const stalls = 3

export const measure = async ({ watch }, { count, millis }) => {
  let told = 0
  const close = await watch({ thresholdMillis, onStall: (withStack) => withStack === true && told++ })
  for (let i = 0; i < 20; i++) await request()
  await sleep(500)

  const idleFrom = cpuMillis()
  const idleMillis = millis(5000)
  await sleep(idleMillis)
  const idle = (cpuMillis() - idleFrom) / idleMillis * 100

  const monitor = monitorEventLoopDelay({ resolution: 1 })
  monitor.enable()
  const busyFrom = cpuMillis()
  for (let i = 0; i < count(300); i++) {
    const sum = await request()
    equal(sum, promises * (promises - 1) / 2, "the sum")
    await sleep(3)
  }
  const busy = cpuMillis() - busyFrom
  monitor.disable()

  const times = []
  for (let i = 0; i < stalls; i++) {
    await sleep(300)
    const start = performance.now()
    compute(600_000)
    times.push(performance.now() - start)
  }
  await sleep(500)
  await close()
  // The first stack of a program is the dearest, and is looked at by itself.
  return { idle, busy, delay: monitor.percentile(99) / 1e6, held: times.sort((a, b) => a - b)[1], told }
}

export const budgets = (median) => [
  {
    what: "watchdog: processor time of an idle program beyond that of an unwatched one, %",
    value: median(self, "idle") - median("unwatched", "idle"),
    atMost: 0.5
  },
  {
    what: "watchdog: processor time of the same work, times that of an unwatched program",
    value: median(self, "busy") / median("unwatched", "busy"),
    atMost: 1.05
  },
  {
    what: "watchdog: event-loop delay p99, times that of an unwatched program",
    value: median(self, "delay") / median("unwatched", "delay"),
    atMost: 1.1
  },
  {
    what: "watchdog: a computation of 600 ms, times that of an unwatched program",
    value: median(self, "held") / median("unwatched", "held"),
    atMost: 1.1
  }
]
