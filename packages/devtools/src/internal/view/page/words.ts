/** Formats numbers and codes. The browser loads this file unbundled, so it imports nothing. */

export const duration = (millis: number): string => {
  if (millis < 0.1) return `${Math.round(millis * 1000)} µs`
  if (millis < 10) return `${millis.toFixed(1)} ms`
  if (millis < 1000) return `${Math.round(millis)} ms`
  if (millis < 60_000) return `${(millis / 1000).toFixed(millis < 10_000 ? 2 : 1)} s`
  const minutes = Math.floor(millis / 60_000)
  if (minutes < 60) return `${minutes} min ${Math.floor(millis / 1000) % 60} s`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

export const count = (n: number): string => n.toLocaleString("en-US")

export const bytes = (n: number): string => `${Math.round(n / 1e6)} MB`

export const time = (at: number): string => {
  const date = new Date(at)
  const two = (n: number): string => String(n).padStart(2, "0")
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

export const bound = (millis: number): string => millis < 1000 ? `${millis} ms` : `${millis / 1000} s`

/** The range of a bucket: from the bound of the previous one to its own. */
export const range = (before: number | undefined, below: number | undefined): string => {
  if (below === undefined) return `${bound(before ?? 0)} and more`
  return before === undefined ? `below ${bound(below)}` : `${bound(before)} – ${bound(below)}`
}

/** The reason for a stop. */
export const stopBy = (by: string): string =>
  ({
    Abort: "aborted",
    Interrupt: "interrupted",
    TimeLimit: "past its time limit",
    IdleLimit: "not pulled for too long",
    Shutdown: "the pool shut down",
    Close: "its consumer has ended"
  })[by] ?? by

export const stopStep = (step: string): string =>
  ({ StopRequested: "asked to stop", Terminated: "thread terminated", Abandoned: "thread abandoned" })[step] ?? step
