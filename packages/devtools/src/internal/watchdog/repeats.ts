/** Limits the log to one message per call site and period. */

/** How many call sites are distinguished. Arbitrary: it bounds memory and metrics. */
const maxSites = 200

interface Site {
  at: number
  more: number
}

export class Repeats {
  private readonly sites = new Map<string, Site>()
  private readonly labels = new Set<string>()
  private readonly periodMillis: number

  constructor(periodMillis: number) {
    this.periodMillis = periodMillis
  }

  /** How many stalls of that site were left out since its last log message; `undefined` if this one is left out, too. */
  take(site: string, now: number): number | undefined {
    const known = this.sites.get(site)
    if (known !== undefined && now - known.at < this.periodMillis) {
      known.more++
      return undefined
    }
    this.sites.delete(site)
    // The site whose log message is the oldest.
    if (this.sites.size >= maxSites) this.sites.delete(this.sites.keys().next().value!)
    this.sites.set(site, { at: now, more: 0 })
    return known?.more ?? 0
  }

  /** The site as an attribute of a metric. All sites beyond the bound share one. */
  label(site: string): string {
    if (this.labels.size < maxSites) this.labels.add(site)
    return this.labels.has(site) ? site : "other"
  }
}
