/** Which stalls are logged: each call site once in a while. */

/** How many call sites are told apart. Arbitrary: a program with more has other worries, and memory and metrics stay bounded. */
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

  /** How often that site was not logged since it last was; `undefined` if it is not to be logged now. */
  take(site: string, now: number): number | undefined {
    const known = this.sites.get(site)
    if (known !== undefined && now - known.at < this.periodMillis) {
      known.more++
      return undefined
    }
    this.sites.delete(site)
    // The one that was logged longest ago.
    if (this.sites.size >= maxSites) this.sites.delete(this.sites.keys().next().value!)
    this.sites.set(site, { at: now, more: 0 })
    return known?.more ?? 0
  }

  /** The site, as an attribute of a metric: of those beyond the bound, one for all. */
  label(site: string): string {
    if (this.labels.size < maxSites) this.labels.add(site)
    return this.labels.has(site) ? site : "other"
  }
}
