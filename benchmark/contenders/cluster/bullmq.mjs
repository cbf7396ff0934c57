/** BullMQ as in its first example: processors in the worker's own process; Redis without persistence. */
import { Queue, QueueEvents } from "bullmq"
import { Effect } from "effect"
import { end, startRedis, startRunner, startRunners } from "../../cluster.mjs"

export const open = async (folder, { lockMillis = 30_000 } = {}) => {
  const redis = await startRedis(folder)
  const connection = { host: "127.0.0.1", port: redis.port }
  const options = { lockMillis, port: redis.port }
  const runners = await startRunners("bullmq", options, lockMillis === 30_000 ? undefined : 1)
  const queue = new Queue("benchmark", { connection })
  const events = new QueueEvents("benchmark", { connection })
  for (const emitter of [queue, events]) emitter.on("error", () => {})
  events.setMaxListeners(0)
  await events.waitUntilReady()
  const submit = (data) =>
    Effect.promise(async () => {
      const job = await queue.add("job", data)
      return job.waitUntilFinished(events)
    })
  return {
    call: (millis) => submit({ millis }),
    submit: (millis) => submit({ millis }),
    // A job that lost its lock fails on its first worker. The row only counts how often it ran.
    noted: (file, millis) => Effect.ignoreCause(submit({ file, millis })),
    another: async () => runners.push(await startRunner("bullmq", options)),
    close: async () => {
      await end(runners)
      await Promise.race([Promise.all([queue.close(), events.close()]), new Promise((done) => setTimeout(done, 1000))])
      await redis.stop()
    }
  }
}
