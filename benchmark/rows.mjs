/** The rows, in the order in which they run and are printed, and their suites. */
import * as abort from "./rows/abort.mjs"
import * as callback from "./rows/callback.mjs"
import * as clusterCalls from "./rows/clusterCalls.mjs"
import * as clusterLocks from "./rows/clusterLocks.mjs"
import * as clusterTasks from "./rows/clusterTasks.mjs"
import * as coldStart from "./rows/coldStart.mjs"
import * as concurrency from "./rows/concurrency.mjs"
import * as idleThread from "./rows/idleThread.mjs"
import * as million from "./rows/million.mjs"
import * as mixed from "./rows/mixed.mjs"
import * as moved from "./rows/moved.mjs"
import * as observability from "./rows/observability.mjs"
import * as parallel1 from "./rows/parallel1.mjs"
import * as parallel10 from "./rows/parallel10.mjs"
import * as parallel100 from "./rows/parallel100.mjs"
import * as parallel10000 from "./rows/parallel10000.mjs"
import * as parallelMillion from "./rows/parallelMillion.mjs"
import * as parallelObjects from "./rows/parallelObjects.mjs"
import * as parallelStop from "./rows/parallelStop.mjs"
import * as parallelUneven from "./rows/parallelUneven.mjs"
import * as payload from "./rows/payload.mjs"
import * as processes from "./rows/processes.mjs"
import * as queued from "./rows/queued.mjs"
import * as roundTrip from "./rows/roundTrip.mjs"
import * as scaling from "./rows/scaling.mjs"
import * as sqliteReads from "./rows/sqliteReads.mjs"
import * as sqliteRows from "./rows/sqliteRows.mjs"
import * as sqliteScan from "./rows/sqliteScan.mjs"
import * as sqliteWrites from "./rows/sqliteWrites.mjs"
import * as stream from "./rows/stream.mjs"
import * as stuck from "./rows/stuck.mjs"
import * as testLayer from "./rows/testLayer.mjs"
import * as tiny from "./rows/tiny.mjs"
import * as watchdog from "./rows/watchdog.mjs"

const core = {
  tiny,
  concurrency,
  roundTrip,
  coldStart,
  idleThread,
  payload,
  processes,
  moved,
  stream,
  callback,
  scaling,
  queued,
  million,
  abort,
  mixed,
  stuck,
  observability,
  testLayer
}

const parallel = {
  parallel1,
  parallel10,
  parallel100,
  parallel10000,
  parallelUneven,
  parallelObjects,
  parallelStop,
  parallelMillion
}

const sqlite = { sqliteReads, sqliteScan, sqliteWrites, sqliteRows }

const cluster = { clusterCalls, clusterTasks, clusterLocks }

const devtools = { watchdog }

export const rows = { ...core, ...parallel, ...sqlite, ...cluster, ...devtools }

export const suites = {
  core: Object.keys(core),
  parallel: Object.keys(parallel),
  sqlite: Object.keys(sqlite),
  cluster: Object.keys(cluster),
  devtools: Object.keys(devtools),
  all: Object.keys(rows)
}
