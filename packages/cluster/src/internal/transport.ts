/** The transport of calls between programs: Effect's RPC over TCP or WebSockets. */
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import * as Effect from "effect/Effect"
import type { Layer } from "effect/Layer"
import type * as NetAddress from "effect/net/NetAddress"
import * as RpcClient from "effect/rpc/RpcClient"
import * as RpcSerialization from "effect/rpc/RpcSerialization"
import * as RpcServer from "effect/rpc/RpcServer"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Socket from "effect/socket/Socket"
import * as SocketServer from "effect/socket/SocketServer"
import { createServer } from "node:http"
import type { Socket as NetSocket } from "node:net"
import type { ListenOptions } from "../ClusterPool.ts"
import type { RunnerRow } from "./receipts.ts"

/** The address of a runner for other programs. `host` is a name, an IP address, or the URL of a WebSocket. */
type Address = Pick<RunnerRow, "host" | "port">

/** The most bytes of a frame: four for each character of a payload, and some for the envelope. */
const frameOf = (maxPayload: number): number => maxPayload * 4 + 65_536

const serialization = (maxPayload: number): Layer<RpcSerialization.RpcSerialization> =>
  RpcSerialization.layerSchemaBinary({ maxFrameSize: frameOf(maxPayload) })

const portOf = (address: NetAddress.InetAddress | NetAddress.UnixPathAddress): number =>
  address._tag === "UnixPathAddress" ? 0 : address.port

/** Listens until the scope closes. */
export const listen = (
  { advertise, host = "127.0.0.1", port = 0, transport = "tcp" }: ListenOptions,
  maxPayload: number
): Effect.Effect<
  { readonly protocol: RpcServer.Protocol["Service"]; readonly address: Address },
  SocketServer.SocketServerError,
  Scope.Scope
> =>
  Effect.gen(function*() {
    if (transport === "tcp") {
      const server = yield* NodeSocketServer.make({ host, port })
      const protocol = yield* Effect.provideService(
        RpcServer.makeProtocolSocketServer,
        SocketServer.SocketServer,
        server
      )
      return { protocol, address: { host: advertise ?? host, port: portOf(server.address) } }
    }
    // Loaded only here: it takes some 60 ms, and most runners need none.
    const NodeHttpServer = yield* Effect.promise(() => import("@effect/platform-node/NodeHttpServer"))
    const { httpEffect, protocol } = yield* RpcServer.makeProtocolWithHttpEffectWebsocket
    // Closed after the connections: the server waits for them, and callers keep theirs open.
    const outer = yield* Scope.fork(yield* Effect.scope)
    // A caller that is frozen does not answer the end of its WebSocket: its connection is ended here.
    const connections = new Set<NetSocket>()
    yield* Effect.addFinalizer(() => Effect.sync(() => connections.forEach((connection) => connection.destroySoon())))
    const create = () =>
      createServer().on("connection", (connection) => {
        connections.add(connection)
        connection.once("close", () => connections.delete(connection))
      })
    const server = yield* NodeHttpServer.make(create, {
      host,
      port,
      websocket: { maxPayload: frameOf(maxPayload) },
      disablePreemptiveShutdown: true
    }).pipe(
      Scope.provide(outer),
      Effect.mapError(({ cause }) =>
        new SocketServer.SocketServerError({ reason: new SocketServer.SocketServerOpenError({ cause }) })
      )
    )
    yield* server.serve(Effect.interruptible(httpEffect))
    const bound = portOf(server.address)
    const name = advertise ?? host
    return { protocol, address: { host: isUrl(name) ? name : `ws://${urlHost(name)}:${bound}/`, port: bound } }
  }).pipe(Effect.provide(serialization(maxPayload)))

/** The protocol of one connection, which opens at once and closes with the scope. */
export const connect = (
  { host, port }: Address,
  maxPayload: number
): Effect.Effect<RpcClient.Protocol["Service"], never, Scope.Scope> => {
  const openTimeout = 2000
  const socket = isUrl(host)
    ? Effect.provide(Socket.makeWebSocket(host, { openTimeout }), NodeSocket.layerWebSocketConstructor)
    : NodeSocket.makeNet({ host, port, openTimeout })
  return Effect.flatMap(socket, (socket) =>
    RpcClient.makeProtocolSocket({ retryPolicy: Schedule.recurs(0) }).pipe(
      Effect.provideService(Socket.Socket, socket),
      Effect.provide(serialization(maxPayload))
    ))
}

/** The address of a runner for a message. */
export const nameOf = ({ host, port }: Address): string => isUrl(host) ? host : `${urlHost(host)}:${port}`

const isUrl = (host: string): boolean => /^wss?:\/\//.test(host)

const urlHost = (host: string): string => host.includes(":") ? `[${host}]` : host
