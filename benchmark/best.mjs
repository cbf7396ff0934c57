/** The best of some contenders, for budgets. One without a figure (it hangs, or fails) does not count. */

const figures = (median, names, key) => names.map((name) => median(name, key)).filter(Number.isFinite)

const orNone = (value) => Number.isFinite(value) ? value : NaN

/** The greatest median of a figure of which more is better. */
export const most = (median, names, key) => orNone(Math.max(...figures(median, names, key)))

/** The least median of a figure of which less is better. */
export const least = (median, names, key) => orNone(Math.min(...figures(median, names, key)))
