/** The bodies of all contenders: they hold the thread for `millis`. */
import { appendFileSync } from "node:fs"

export const compute = (millis) => {
  const end = performance.now() + millis
  while (performance.now() < end);
  return millis
}

/** Logs that it ran, and holds the thread. */
export const noted = (file, millis) => {
  appendFileSync(file, "ran\n")
  return compute(millis)
}
