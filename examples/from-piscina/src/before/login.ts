/** The login with piscina. */
import { Piscina } from "piscina"
import type { Outcome } from "./worker.ts"

export const makeLogin = () => {
  const pool = new Piscina({
    filename: new URL("./worker.ts", import.meta.url).href,
    minThreads: 1,
    maxThreads: 1
  })

  const login = async (user: string, password: string): Promise<string> => {
    // `maxQueue` does not count tasks behind one with a signal (piscina 5.3.2), so the code counts.
    if (pool.queueSize >= 1) return "503"
    try {
      // Neither the argument nor the result is checked against the worker.
      const outcome: Outcome = await pool.run({ user, password }, { signal: AbortSignal.timeout(2000) })
      if (outcome.ok) return `200 ${outcome.user}`
      return outcome.error === "UnknownUser" ? `404 ${user}` : "401"
    } catch (error) {
      if (!(error instanceof Error)) throw error
      if (error.name === "AbortError") return "504"
      return `500 ${error.name} ${"code" in error ? error.code : "without its code"}`
    }
  }

  return { login, close: () => pool.destroy() }
}
