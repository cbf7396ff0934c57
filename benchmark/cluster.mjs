/** Shared by the rows of the farm: runners as processes, a folder, and a Redis server. */
import { fork, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"

/** The number of runners, with one thread each. */
export const runnerCount = 2

const children = new Set()
process.on("exit", () => children.forEach((child) => child.kill("SIGKILL")))

const tracked = (child) => {
  children.add(child)
  child.once("exit", () => children.delete(child))
  return child
}

/** Starts `contenders/cluster/<name>.runner.mjs`, and waits until it is ready. */
export const startRunner = async (name, options) => {
  const program = join(import.meta.dirname, "contenders", "cluster", `${name}.runner.mjs`)
  const child = tracked(fork(program, [JSON.stringify(options)], { stdio: ["ignore", "ignore", "inherit", "ipc"] }))
  await Promise.race([
    once(child, "message"),
    once(child, "exit").then(([code]) => {
      throw new Error(`${program} ended with ${code}`)
    })
  ])
  return child
}

export const startRunners = (name, options, count = runnerCount) =>
  Promise.all(Array.from({ length: count }, (_, i) => startRunner(name, { ...options, index: i })))

export const end = (runners) =>
  Promise.all(runners.map(async (child) => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, "exit")
    child.kill("SIGKILL")
    await gone
  }))

export const freePort = async () => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address()
  server.close()
  await once(server, "close")
  return port
}

const redisProgram = (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, "redis-server")).find(
  existsSync
)

/** Starts Redis without persistence. */
export const startRedis = async (folder) => {
  const port = await freePort()
  const args = ["--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder]
  const child = tracked(spawn(redisProgram, args, { stdio: "ignore" }))
  await sleep(500)
  return { port, stop: () => end([child]) }
}

/** BullMQ needs a server: it is left out if the machine has none. */
export const withRedis = redisProgram === undefined ? [] : ["bullmq"]
if (redisProgram === undefined) console.error("BullMQ is left out: redis-server is not installed")

/** Opens a contender in a new folder, and closes it after `use`. */
export const withFarm = async ({ open }, options, use) => {
  const folder = mkdtempSync(join(tmpdir(), "effect-blocking-benchmark-"))
  try {
    const farm = await open(folder, options)
    const values = await use(farm)
    await farm.close()
    return values
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** The number of lines that bodies have logged. */
export const lines = (file) => existsSync(file) ? readFileSync(file, "utf8").trim().split("\n").length : 0
