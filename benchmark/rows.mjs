/** The rows, in the order in which they run and are printed, and the suites that they belong to. */
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

const sqlite = { sqliteReads, sqliteScan, sqliteWrites, sqliteRows }

const cluster = { clusterCalls, clusterTasks, clusterLocks }

export const rows = { ...core, ...sqlite, ...cluster }

export const suites = {
  core: Object.keys(core),
  sqlite: Object.keys(sqlite),
  cluster: Object.keys(cluster),
  all: Object.keys(rows)
}
