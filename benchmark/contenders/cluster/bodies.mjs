/** What everybody's tasks do: hold the thread for so long. */
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
