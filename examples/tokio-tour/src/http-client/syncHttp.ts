/**
 * A synchronous HTTP client. Node has none: a helper thread makes the request, and the caller's thread blocks until the
 * answer is there.
 */
import { MessageChannel, receiveMessageOnPort, Worker } from "node:worker_threads"

export interface Answer {
  readonly status: number
  readonly body: string
}

export class SyncHttp {
  private readonly answered = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  private readonly port
  private readonly helper

  constructor() {
    const { port1, port2 } = new MessageChannel()
    this.port = port1
    this.helper = new Worker(new URL("./helper.ts", import.meta.url), {
      workerData: { port: port2, answered: this.answered },
      transferList: [port2]
    })
  }

  /** Blocks the calling thread until the server has answered. Throws if it does not. */
  get(url: string): Answer {
    Atomics.store(this.answered, 0, 0)
    this.port.postMessage(url)
    Atomics.wait(this.answered, 0, 0)
    const answer = receiveMessageOnPort(this.port)?.message
    if ("error" in answer) throw answer.error
    return answer
  }

  close(): void {
    this.port.close()
    void this.helper.terminate()
  }
}
