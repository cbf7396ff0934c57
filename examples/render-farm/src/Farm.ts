/** The farm and its storage, shared by all programs. */
import { ClusterPool, ClusterStorage } from "@effect-blocking/cluster"
import { SqliteClient } from "@effect-blocking/sqlite"
import { Layer } from "effect"
import { renderBand } from "./bands.ts"

export class Farm extends ClusterPool.Service<Farm>()("example/Farm", { tasks: [renderBand] }) {}

/** One file for the programs of one machine. A band of a dead runner waits 2 seconds for another one. */
export const storage = (filename: string) =>
  ClusterStorage.layerSql({ lockExpiration: "2 seconds", pollInterval: "50 millis" }).pipe(
    Layer.provide(SqliteClient.layer({ filename, readers: 1, busyTimeout: "30 seconds" }))
  )
