/**
 * Counts of values by size, for a histogram that is recorded on the hot path and
 * seldom read: recording takes a few comparisons and allocates nothing.
 */

/** The state of Effect's histogram metrics. */
export interface HistogramState {
  /** Upper bound, and the number of values that are not above it. */
  readonly buckets: ReadonlyArray<[boundary: number, count: number]>
  readonly count: number
  readonly min: number
  readonly max: number
  readonly sum: number
}

/** Upper bounds of the buckets for waits and run times, in milliseconds. */
export const durationBoundaries: ReadonlyArray<number> = [
  0.01,
  0.03,
  0.1,
  0.3,
  1,
  3,
  10,
  30,
  100,
  300,
  1000,
  3000,
  10_000
]

export class Histogram {
  private readonly boundaries: Float64Array
  private readonly counts: Float64Array
  private count = 0
  private sum = 0
  private min = Infinity
  private max = -Infinity

  constructor(boundaries: ReadonlyArray<number>) {
    this.boundaries = Float64Array.from(boundaries)
    this.counts = new Float64Array(boundaries.length + 1)
  }

  record(value: number): void {
    const { boundaries } = this
    let i = 0
    // Most values are small, and found in the first buckets.
    while (i < boundaries.length && value > boundaries[i]!) i++
    this.counts[i]!++
    this.count++
    this.sum += value
    if (value < this.min) this.min = value
    if (value > this.max) this.max = value
  }

  get state(): HistogramState {
    let cumulated = 0
    return {
      buckets: Array.from(this.boundaries, (boundary, i) => [boundary, cumulated += this.counts[i]!]),
      count: this.count,
      min: this.count === 0 ? 0 : this.min,
      max: this.count === 0 ? 0 : this.max,
      sum: this.sum
    }
  }
}
