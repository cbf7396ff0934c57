/** Timers for the scheduler's own steps. */
import type { ThreadHost } from "../../ThreadHost.ts"

/**
 * How many turns of the event loop deliver the events that happened before a timer fell due:
 * the message or the exit of a thread arrives in the first; the exit of a process and the
 * end of its channel can take one each. One is spare.
 */
const eventTurns = 3

/**
 * Calls back after a delay, and after the events that happened meanwhile. After a pause
 * of the event loop, timers come before events: a thread that ended long ago would be taken
 * for one that does not end. Returns a function that cancels it, at any time before the call. An
 * infinite delay is never over.
 */
export const afterEvents = (host: ThreadHost, delayMillis: number, callback: () => void): () => void => {
  if (delayMillis === Infinity) return () => {}
  let turns = eventTurns
  const turn = (): void => {
    if (turns === 0) callback()
    else if (turns-- > 0) host.nextTurn(turn)
  }
  const cancel = host.schedule(delayMillis, turn)
  return () => {
    turns = -1
    cancel()
  }
}
