/** The rows, in the order in which they run and are printed. */
import * as abort from "./rows/abort.mjs"
import * as callback from "./rows/callback.mjs"
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
import * as stream from "./rows/stream.mjs"
import * as stuck from "./rows/stuck.mjs"
import * as testLayer from "./rows/testLayer.mjs"
import * as tiny from "./rows/tiny.mjs"

export const rows = {
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
