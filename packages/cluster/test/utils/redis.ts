/** A Redis server for one test, on a free port, if Redis is installed. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { connect } from "node:net"
import { delimiter, join } from "node:path"
import { freePort } from "./postgres.ts"

const program = (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, "redis-server")).find((file) =>
  existsSync(file)
)

/** The reason why there is no server; `undefined` if there is one. */
export const missing = program === undefined
  ? "Redis is not installed (Debian: apt-get install redis-server)"
  : undefined

const answers = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, "127.0.0.1")
    socket.once("connect", () => resolve(true))
    socket.once("error", () => resolve(false))
    socket.once("connect", () => socket.destroy())
  })

export const start = async (folder: string) => {
  const port = await freePort()
  const args = ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder]
  const server = spawn(program!, args, { stdio: "ignore" })
  while (!(await answers(port))) await new Promise((resolve) => setTimeout(resolve, 20))
  return {
    port,
    stop: async () => {
      const ended = once(server, "exit")
      server.kill("SIGKILL")
      await ended
    }
  }
}
