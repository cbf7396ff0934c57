import { ClusterPool, ClusterStorage } from "@effect-blocking/cluster"
import { SqliteClient } from "@effect-blocking/sqlite"
import { Layer } from "effect"
import { computed, noted } from "./effect-blocking.tasks.mjs"

export const Farm = class extends ClusterPool.Service()("benchmark/Farm", { tasks: [computed, noted] }) {}

export const storage = (folder, lockMillis) =>
  ClusterStorage.layerSql({ lockExpiration: lockMillis, pollInterval: 50 }).pipe(
    Layer.provide(SqliteClient.layer({ filename: `${folder}/farm.db`, readers: 1, synchronous: "normal" }))
  )
