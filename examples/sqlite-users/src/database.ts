/** The pool of threads that the database has for itself. */
import { NodeBlocking } from "@effect-blocking/platform-node"
import { Layer } from "effect"
import { Blocking } from "effect-blocking"
import type { ThreadData } from "./connection.ts"
import { findUser, migrate } from "./tasks.ts"

export class Database extends Blocking.Pool<Database>()("sqlite-users/Database") {}

/** Queries that run at the same time. */
export const maxThreads = 2

/** Queries that wait; the next one is refused. */
export const queueCapacity = 8

/** Opens the pool on a database file, and has its tables ready. */
export const layer = (file: string) =>
  Layer.effectDiscard(Database.run(migrate)).pipe(
    Layer.provideMerge(NodeBlocking.layerPool(Database, {
      maxThreads,
      // Threads stay, and with them their connections and prepared statements.
      minThreads: maxThreads,
      queueCapacity,
      onFull: "fail",
      threadName: "sqlite",
      threadData: { file } satisfies ThreadData,
      // All queries are in its module: loaded when a thread starts, not by the first request.
      preload: [findUser]
    }))
  )
