/** blocked-at as its README shows: async hooks remember where each callback was made. */
import blocked from "blocked-at"

export const watch = async ({ thresholdMillis, onStall }) => {
  const { stop } = blocked((_, stack) => onStall(stack.length > 0), { threshold: thresholdMillis })
  return async () => stop()
}
