import { assert, describe, it } from "@effect/vitest"
import { EventEmitter } from "node:events"
import type { Socket } from "node:net"
import { frame, type Message, receive, share } from "../../src/internal/processChannel.ts"
import * as SharedFile from "../../src/internal/sharedFile.ts"
import { SharedReader, SharedWriter, ToProcess } from "../../src/internal/sharedMessages.ts"

describe("processChannel", () => {
  it("messages arrive whole and in order, wherever the pipe splits them, and some by the file", () => {
    const file = SharedFile.make()
    const writer = new SharedWriter(file.descriptor, ToProcess)
    const lengths = [0, 1, 7, 8, 9, 40_000, 15, 16, 17, 100, 33_000, 0, 3000]
    const messages = lengths.map((length, i): Message => [
      new Uint8Array(length >> 1).fill(i),
      new Uint8Array(length - (length >> 1)).map((_, k) => k + i)
    ])
    for (const step of [1, 2, 3, 5, 7, 8, 15, 16, 17, 64, 1000, 1e6]) {
      for (const shares of [true, false]) {
        const shared = messages.map((message) => shares ? share(message, writer) : undefined)
        assert.strictEqual(shared.filter((each) => each !== undefined).length, shares ? 2 : 0)
        const sent = Buffer.concat(messages.map((message, i) => shared[i] ?? frame(message)))
        const arrived: Array<Buffer> = []
        const socket = new EventEmitter()
        receive(socket as Socket, new SharedReader(file.descriptor, ToProcess), (bytes) => {
          arrived.push(Buffer.from(bytes))
          return true
        })
        // The receiver owns the buffer, as with a socket.
        for (let at = 0; at < sent.length; at += step) socket.emit("data", Buffer.from(sent.subarray(at, at + step)))
        assert.strictEqual(arrived.length, messages.length)
        messages.forEach((message, i) => assert.isTrue(arrived[i]!.equals(Buffer.concat(message)), `message ${i}`))
      }
    }
    file.close()
  })
})
