/** Takes stacks by a sampler that the program provides. */
import type { Captured, Capturing } from "./capture.ts"
import type { RawFrame } from "./frames.ts"

/** The function `sample` that a sampler module exports. */
export type Sampler = () =>
  | ReadonlyArray<{
    readonly name?: string | undefined
    readonly url?: string | undefined
    readonly line?: number | undefined
    readonly column?: number | undefined
  }>
  | undefined

/** A sampler returns at once, so a capture is one call. */
export class SamplerCapturing implements Capturing {
  private readonly sample: Sampler

  constructor(sample: Sampler) {
    this.sample = sample
  }

  probe(): void {}

  isClear(): boolean {
    return true
  }

  close(): void {}

  take(_stalledMillis: () => number, onTaken: (captured: Captured) => void): void {
    const sampled = this.sample() ?? []
    const frames = sampled.map(({ column = 1, line = 1, name = "", url = "" }): RawFrame => ({
      name,
      url,
      line: line - 1,
      column: column - 1,
      functionKey: `${url}:${name}`,
      scriptId: url
    }))
    onTaken({ frames, isLate: false, costMillis: 0 })
  }
}
