import * as Metric from "effect/Metric"

export const settledCounter = Metric.counter("effect_blocking_cluster_settled", {
  description: "Submitted tasks that runners of this program have settled",
  incremental: true
})

export const submittedCounter = Metric.counter("effect_blocking_cluster_submitted", {
  description: "Tasks that this program has submitted",
  incremental: true
})

export const calledCounter = Metric.counter("effect_blocking_cluster_calls", {
  description: "Calls of this program to runners, by outcome",
  incremental: true
})

export const busyGauge = Metric.gauge("effect_blocking_cluster_busy", {
  description: "Bodies that run on a runner of this program, or wait there for a thread"
})
