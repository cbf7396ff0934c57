/** The body of every contender's task: it holds the thread for the given time. */
import { appendFileSync } from "node:fs"

export const compute = (millis) => {
  const end = performance.now() + millis
  while (performance.now() < end);
  return millis
}

/** Notes that it ran, and holds the thread. */
export const noted = (file, millis) => {
  appendFileSync(file, "ran\n")
  return compute(millis)
}
