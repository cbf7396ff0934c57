/** The best of some contenders, for budgets. A contender without a figure (a hang or an error) does not count. */

const figures = (median, names, key) => names.map((name) => median(name, key)).filter(Number.isFinite)

const orNone = (value) => Number.isFinite(value) ? value : NaN

/** The greatest median of a figure, for figures where more is better. */
export const most = (median, names, key) => orNone(Math.max(...figures(median, names, key)))

/** The least median of a figure, for figures where less is better. */
export const least = (median, names, key) => orNone(Math.min(...figures(median, names, key)))
