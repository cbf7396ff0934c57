/** Requests that wait for threads to be ready. */
import type { PreloadFailure } from "../wire/protocol.ts"
import type { Threads } from "./threads.ts"

export type PrewarmFailure =
  | { readonly _tag: "ShutDown" }
  | { readonly _tag: "SpawnFailed"; readonly attempts: number; readonly cause: unknown }
  | ({ readonly _tag: "LoadFailed" } & PreloadFailure)

export class Prewarm {
  private preloadFailures: ReadonlyArray<PreloadFailure> = []
  private readonly watchers = new Set<(failed?: PrewarmFailure) => void>()
  /** The highest number of threads that any request wants. */
  private most = 0
  private readonly threads: Threads

  constructor(threads: Threads) {
    this.threads = threads
  }

  get isWaiting(): boolean {
    return this.watchers.size > 0
  }

  /** Requests `count` ready threads, and calls back, once, with the outcome; returns a function that cancels it. */
  request(count: number, onEnd: (failed: PrewarmFailure | undefined) => void): () => void {
    const forget = (): void => {
      this.watchers.delete(watcher)
      // While a request waits for them, no thread retires.
      if (!this.isWaiting) this.threads.want(this.most = 0)
    }
    const watcher = (failed?: PrewarmFailure): void => {
      // Stuck threads can leave fewer places; with none the start fails.
      const possible = Math.min(count, Math.max(1, this.threads.places))
      if (failed === undefined && this.threads.readyCount < possible) return
      forget()
      const preloadFailure = this.preloadFailures[0]
      onEnd(failed ?? (preloadFailure === undefined ? undefined : { _tag: "LoadFailed", ...preloadFailure }))
    }
    this.watchers.add(watcher)
    this.threads.want(this.most = Math.max(this.most, count))
    return forget
  }

  /** A thread is ready; `preloadFailures` are the modules that it could not load. */
  onReady(preloadFailures: ReadonlyArray<PreloadFailure>): void {
    this.preloadFailures = preloadFailures
    this.check()
  }

  /** Ends the requests that are fulfilled, or all of them with the failure. */
  check(failed?: PrewarmFailure): void {
    for (const watcher of Array.from(this.watchers)) watcher(failed)
  }
}
