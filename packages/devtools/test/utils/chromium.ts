/** A real browser, driven over its own DevTools protocol. */
import { Effect, type Scope } from "effect"
import { spawn } from "node:child_process"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** An installed Chromium; otherwise `undefined`. */
export const executable = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) =>
  existsSync(path)
)

export interface View {
  readonly width: number
  readonly height: number
  readonly scheme: "light" | "dark"
}

export interface Page {
  /** Evaluates an expression in the page, and awaits a promise. */
  readonly evaluate: <A>(expression: string) => Effect.Effect<A>
  readonly look: (view: View) => Effect.Effect<void>
  readonly press: (key: "Tab" | "Enter") => Effect.Effect<void>
  /** A picture of the page, as PNG. */
  readonly screenshot: Effect.Effect<Buffer>
  /** Errors of the page so far, and violations of its security policy. */
  readonly problems: ReadonlyArray<string>
}

/** Opens a page in a new browser, which ends with the scope. */
export const open = (url: string): Effect.Effect<Page, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(Effect.promise(() => start(url)), ({ end }) => Effect.promise(end)),
    ({ page }) => page
  )

const start = async (url: string): Promise<{ readonly page: Page; readonly end: () => Promise<void> }> => {
  const profile = mkdtempSync(join(tmpdir(), "effect-blocking-chromium-"))
  const browser = spawn(executable!, [
    "--headless=new",
    // Chromium refuses its sandbox to root, as whom containers run.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
    `--user-data-dir=${profile}`,
    "about:blank"
  ], { stdio: ["ignore", "ignore", "pipe"] })
  const exited = new Promise((resolve) => browser.once("exit", resolve))
  const end = async (): Promise<void> => {
    browser.kill("SIGKILL")
    await exited
    rmSync(profile, { recursive: true, force: true, maxRetries: 10 })
  }
  const address = await new Promise<string>((resolve, reject) => {
    let text = ""
    browser.stderr.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk
      const found = /DevTools listening on (ws:\S+)/.exec(text)
      if (found !== null) resolve(found[1]!)
    })
    browser.once("exit", () => reject(new Error(`Chromium has ended\n${text}`)))
  })
  const socket = new WebSocket(address)
  await new Promise((resolve) => socket.addEventListener("open", resolve))
  const waiting = new Map<number, (answer: Answer) => void>()
  const problems: Array<string> = []
  let lastId = 0
  let session: string | undefined
  const post = async <A = unknown>(method: string, params: object = {}): Promise<A> => {
    const id = ++lastId
    const answer = new Promise<Answer>((resolve) => waiting.set(id, resolve))
    socket.send(JSON.stringify({ id, method, params, ...(session === undefined ? {} : { sessionId: session }) }))
    const { error, result } = await answer
    if (error !== undefined) throw new Error(`${method}: ${error.message}`)
    return result as A
  }
  socket.addEventListener("message", ({ data }) => {
    const message = JSON.parse(data as string) as Answer & {
      readonly id?: number
      readonly method?: string
      readonly params?: object
    }
    if (message.id !== undefined) {
      waiting.get(message.id)?.(message)
      waiting.delete(message.id)
    } else if (message.method === "Runtime.exceptionThrown" || message.method === "Log.entryAdded") {
      problems.push(JSON.stringify(message.params))
    }
  })
  const { targetId } = await post<{ readonly targetId: string }>("Target.createTarget", { url: "about:blank" })
  const attached = await post<{ readonly sessionId: string }>("Target.attachToTarget", { targetId, flatten: true })
  session = attached.sessionId
  await post("Runtime.enable")
  await post("Log.enable")
  await post("Page.enable")
  await post("Page.navigate", { url })

  const page: Page = {
    problems,
    evaluate: <A>(expression: string) =>
      Effect.promise(async () => {
        const { exceptionDetails, result } = await post<Evaluated>("Runtime.evaluate", {
          expression,
          awaitPromise: true,
          returnByValue: true
        })
        if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails))
        return result.value as A
      }),
    look: ({ height, scheme, width }) =>
      Effect.promise(async () => {
        await post("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: width < 600 })
        await post("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] })
      }),
    press: (key) =>
      Effect.promise(async () => {
        const text = key === "Enter" ? { text: "\r" } : {}
        await post("Input.dispatchKeyEvent", {
          type: "keyDown",
          key,
          code: key,
          windowsVirtualKeyCode: key === "Tab" ? 9 : 13,
          ...text
        })
        await post("Input.dispatchKeyEvent", { type: "keyUp", key, code: key })
      }),
    screenshot: Effect.promise(async () => {
      const { data } = await post<{ readonly data: string }>("Page.captureScreenshot", { format: "png" })
      return Buffer.from(data, "base64")
    })
  }
  return { page, end }
}

interface Answer {
  readonly result?: unknown
  readonly error?: { readonly message: string }
}

interface Evaluated {
  readonly result: { readonly value?: unknown }
  readonly exceptionDetails?: object
}
