/** The other half of `syncHttp.ts`: a thread with an event loop, which does what its owner waits for. */
import { type MessagePort, workerData } from "node:worker_threads"

const { answered, port } = workerData as { readonly port: MessagePort; readonly answered: Int32Array }

port.on("message", async (url: string) => {
  const answer = await fetch(url).then(
    async (response) => ({ status: response.status, body: await response.text() }),
    (error: unknown) => ({ error })
  )
  port.postMessage(answer)
  Atomics.store(answered, 0, 1)
  Atomics.notify(answered, 0)
})
