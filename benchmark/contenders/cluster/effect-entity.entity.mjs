import { SqliteClient } from "@effect-blocking/sqlite"
import { NodeClusterSocket } from "@effect/platform-node"
import { Layer, Schema } from "effect"
import { Entity } from "effect/cluster"
import { Rpc } from "effect/rpc"

export const Computing = Entity.make("Computing", [
  Rpc.make("compute", { payload: { millis: Schema.Finite }, success: Schema.Finite })
])

const database = (folder) => SqliteClient.layer({ filename: `${folder}/cluster.db`, readers: 1, synchronous: "normal" })

/** Locks as short as those of the farm, so that the runners are available at once. */
export const cluster = (folder, options) =>
  NodeClusterSocket.layer({
    storage: "sql",
    ...options,
    shardingConfig: {
      shardLockExpiration: 5000,
      shardLockRefreshInterval: 1000,
      refreshAssignmentsInterval: 500,
      ...options.shardingConfig
    }
  }).pipe(Layer.provide(database(folder)))
