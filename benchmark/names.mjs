/** The contenders. Each name is that of a module in `contenders/`. */

export const self = "effect-blocking"

export const peers = ["piscina", "tinypool", "workerpool", "poolifier", "multithreading", "effect-rpc"]

/** Peers that can put several tasks on one thread at once, in that setting. */
export const pipelined = ["piscina-pipelined", "tinypool-pipelined", "effect-rpc-pipelined"]

/** Peers with pools of processes. */
export const processPeers = [
  "tinypool-process",
  "tinypool-process-json",
  "workerpool-process",
  "workerpool-process-json"
]

/** The peers in their best setting for waiting tasks: poolifier with its queue. */
export const queueing = peers.map((name) => name === "poolifier" ? "poolifier-queue" : name)

const labels = {
  "piscina-pipelined": "piscina, 64 per thread",
  "tinypool-pipelined": "tinypool, 64 per thread",
  "poolifier-queue": "poolifier, tasks queue",
  "effect-rpc": "Effect RPC",
  "effect-rpc-pipelined": "Effect RPC, 500 per thread",
  "effect-rpc-unacknowledged": "Effect RPC, no acknowledgements",
  "tinypool-process": "tinypool, child_process",
  "tinypool-process-json": "tinypool, child_process, JSON",
  "workerpool-process": "workerpool, process",
  "workerpool-process-json": "workerpool, process, JSON",
  "bare-process": "bare child_process.fork",
  "bare": "bare postMessage",
  "loop": "a plain loop, one thread",
  "effect-blocking-each": "effect-blocking, a run per item",
  "effect": "Effect without threads",
  "node-sqlite": "node:sqlite in place",
  "better-sqlite3": "better-sqlite3 in place",
  "better-sqlite3-piscina": "better-sqlite3 in piscina",
  "sqlite3": "sqlite3 (libuv)",
  "libsql": "libsql, promises",
  "unwatched": "no watchdog",
  "heartbeat": "a timer every 25 ms",
  "sentry": "Sentry's native sampler",
  "bullmq": "BullMQ, in place",
  "effect-entity": "Effect's entity, in place",
  "effect-queue": "Effect's PersistedQueue, in place"
}

export const label = (name) => labels[name] ?? name
