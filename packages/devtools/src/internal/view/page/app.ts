/**
 * The page of the live view. A browser loads it unbundled, so it imports only `words.ts` and types. Everything that comes
 * from the program is inserted as text, never as markup.
 */
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
import type { Bucket, PoolView, Sample, Snapshot, StallView } from "../snapshot.ts"
import { bytes, count, duration, range, stopBy, stopStep, time } from "./words.ts"

type Child = Node | string | undefined

const element = <Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, string>>,
  ...children: ReadonlyArray<Child>
): HTMLElementTagNameMap[Tag] => {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  made.append(...children.filter((child) => child !== undefined))
  return made
}

const svg = (
  tag: string,
  attributes: Readonly<Record<string, string>>,
  ...children: ReadonlyArray<Node>
): SVGElement => {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  made.append(...children)
  return made
}

/** Leaves the element alone if nothing has changed, which keeps the focus and the selection. */
const fill = (target: Element, children: ReadonlyArray<Node>): void => {
  const wanted = element("div", {}, ...children)
  if (target.innerHTML !== wanted.innerHTML) target.replaceChildren(...wanted.childNodes)
}

const facts = (list: ReadonlyArray<readonly [string, string, string?]>): ReadonlyArray<Node> =>
  list.map(([name, value, kind = ""]) =>
    element("div", kind === "" ? {} : { class: kind }, element("dt", {}, name), element("dd", {}, value))
  )

// -----------------------------------------------------------------------------
// Parts of a pool
// -----------------------------------------------------------------------------

interface Column {
  readonly name: string
  /** `n`: a number, aligned right. `t`: text that may break anywhere. */
  readonly kind: "n" | "t"
}

const n = (name: string): Column => ({ name, kind: "n" })
const t = (name: string): Column => ({ name, kind: "t" })

/** A card with a table whose rows are replaced by each snapshot. */
class Table {
  readonly card: HTMLElement
  private readonly body = element("tbody", {})
  private readonly empty: HTMLElement
  private readonly head: HTMLElement
  private readonly columns: ReadonlyArray<Column>

  constructor(caption: string, columns: ReadonlyArray<Column>, empty: string, kind = "") {
    this.columns = columns
    this.empty = element("p", { class: "soft" }, empty)
    const headings = columns.map(({ kind, name }) => element("th", { scope: "col", class: kind }, name))
    this.head = element("thead", {}, element("tr", {}, ...headings))
    this.card = element(
      "div",
      { class: `card ${kind}` },
      // The keyboard has to reach everything that scrolls.
      element(
        "div",
        { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
        element(
          "table",
          {},
          element("caption", {}, caption),
          this.head,
          this.body
        )
      ),
      this.empty
    )
  }

  show(rows: ReadonlyArray<ReadonlyArray<Child>>): void {
    this.empty.hidden = rows.length > 0
    this.head.hidden = rows.length === 0
    fill(
      this.body,
      rows.map((cells) =>
        element("tr", {}, ...cells.map((cell, i) => element("td", { class: this.columns[i]!.kind }, cell)))
      )
    )
  }
}

/** A list of entries that can be opened. Open entries stay open. */
class Details {
  readonly card: HTMLElement
  private readonly list = element("div", { class: "scroll", tabindex: "0" })
  private readonly shown = new Map<string, HTMLDetailsElement>()
  private readonly empty: string

  constructor(heading: string, empty: string) {
    this.empty = empty
    this.list.setAttribute("role", "region")
    this.list.setAttribute("aria-label", heading)
    this.card = element("div", { class: "card wide" }, element("h3", {}, heading), this.list)
  }

  show(
    entries: ReadonlyArray<{ readonly key: string; readonly title: string; readonly text: string }>,
    empty = this.empty
  ): void {
    const keys = new Set(entries.map(({ key }) => key))
    for (const [key, details] of this.shown) {
      if (keys.has(key)) continue
      details.remove()
      this.shown.delete(key)
    }
    if (entries.length === 0) return fill(this.list, [element("p", { class: "soft" }, empty)])
    if (this.shown.size === 0) this.list.replaceChildren()
    entries.forEach(({ key, text, title }, i) => {
      let details = this.shown.get(key)
      if (details === undefined) {
        details = element("details", {}, element("summary", {}, title), element("pre", {}, text))
        this.shown.set(key, details)
      }
      if (this.list.children[i] !== details) this.list.insertBefore(details, this.list.children[i] ?? null)
    })
  }
}

const histogram = (buckets: ReadonlyArray<Bucket>): ReadonlyArray<ReadonlyArray<Child>> => {
  const most = Math.max(1, ...buckets.map(({ count }) => count))
  // Without the empty buckets at both ends.
  const first = buckets.findIndex(({ count }) => count > 0)
  const last = buckets.findLastIndex(({ count }) => count > 0)
  return first < 0 ? [] : buckets.slice(first, last + 1).map(({ belowMillis, count: counted }, i) => {
    const bar = element("span", { class: counted === 0 ? "bar none" : "bar" })
    bar.style.width = `${(100 * counted) / most}%`
    return [range(buckets[first + i - 1]?.belowMillis, belowMillis), count(counted), bar]
  })
}

const seconds = 120

/** The queue and the running tasks of the last two minutes. */
const chart = (history: ReadonlyArray<Sample>): ReadonlyArray<Node> => {
  const most = Math.max(1, ...history.map(({ queueDepth, running }) => Math.max(queueDepth, running)))
  const points = (value: (sample: Sample) => number): string =>
    history.map((sample, i) => `${seconds - history.length + i + 1},${100 - (100 * value(sample)) / most}`).join(" ")
  const queue = points(({ queueDepth }) => queueDepth)
  const last = history.at(-1)
  const label = last === undefined
    ? "Nothing has been recorded yet"
    : `Over the last ${history.length} seconds: now ${last.queueDepth} queued and ${last.running} running; at most ${most}`
  return [
    svg(
      "svg",
      { viewBox: `0 0 ${seconds} 100`, preserveAspectRatio: "none", role: "img", "aria-label": label },
      svg("line", { class: "axis", x1: "0", x2: `${seconds}`, y1: "100", y2: "100" }),
      svg("line", { class: "axis", x1: "0", x2: `${seconds}`, y1: "0", y2: "0" }),
      ...(history.length < 2 ? [] : [
        svg("polygon", { class: "area", points: `${seconds - history.length + 1},100 ${queue} ${seconds},100` }),
        svg("polyline", { class: "queue", points: queue }),
        svg("polyline", { class: "running", points: points(({ running }) => running) })
      ])
    ),
    element(
      "div",
      { class: "legend" },
      element("span", {}, element("i", { class: "queue" }), "queued"),
      element("span", {}, element("i", { class: "running" }), "running"),
      element("span", {}, `the top line is ${count(most)}; the last two minutes`)
    )
  ]
}

class Pool {
  readonly section: HTMLElement
  private readonly note = element("span", { class: "soft" })
  private readonly tiles = element("dl", { class: "tiles" })
  private readonly chart = element("div", {})
  private readonly threads = new Table("Threads", [n("thread"), t("runs"), n("for")], "No thread.")
  private readonly tasks = new Table(
    "Tasks",
    [t("task"), n("ended"), n("failed"), n("mean"), n("longest")],
    "No task has ended yet."
  )
  private readonly queueWait = new Table(
    "Time in the queue",
    [n("time"), n("tasks"), t("")],
    "No task has run yet.",
    "hist"
  )
  private readonly runTime = new Table(
    "Time in the body",
    [n("time"), n("tasks"), t("")],
    "No task has run yet.",
    "hist"
  )
  private readonly slowest = new Table(
    "Slowest",
    [t("task"), n("run"), n("ended at"), n("took")],
    "No task has run yet."
  )
  private readonly outcomes = new Table("Outcomes", [t("outcome"), n("tasks")], "No task has ended yet.")
  private readonly stops = new Table(
    "Stops",
    [n("at"), t("task"), n("run"), t("step"), t("reason")],
    "No task was stopped.",
    "wide"
  )
  private readonly failures = new Details("Failures", "No task has failed.")

  constructor({ id, key }: PoolView) {
    const heading = element("h2", { id: `pool-${id}` }, key)
    this.section = element(
      "section",
      { class: "pool", "aria-labelledby": heading.id },
      element("div", { class: "head" }, heading, this.note),
      this.tiles,
      element(
        "div",
        { class: "cards" },
        element("div", { class: "card wide" }, element("h3", {}, "Queue and running tasks"), this.chart),
        this.threads.card,
        this.tasks.card,
        this.queueWait.card,
        this.runTime.card,
        this.slowest.card,
        this.outcomes.card,
        this.failures.card,
        this.stops.card
      )
    )
  }

  show(pool: PoolView): void {
    const { history, idleThreads, maxThreads, outcomes, queueCapacity, queueDepth, running, stuckThreads, suspended } =
      pool
    const failed = pool.tasks.reduce((total, { failed }) => total + failed, 0)
    fill(
      this.tiles,
      facts([
        ["running", `${running.length} of ${maxThreads}`],
        ["queued", count(queueDepth), queueDepth >= queueCapacity ? "bad" : ""],
        ["ended / s", count(history.at(-1)?.ended ?? 0)],
        ["ended", count(Object.values(outcomes).reduce((total, ended) => total + ended, 0))],
        ["failed", count(failed), failed > 0 ? "warn" : ""],
        ["waiting submitters", count(suspended), suspended > 0 ? "warn" : ""],
        ["open streams", count(pool.openStreams)],
        ["stuck threads", count(stuckThreads), stuckThreads > 0 ? "bad" : ""]
      ])
    )
    this.note.textContent = pool.dropped === 0
      ? ""
      : `${count(pool.dropped)} events were dropped, and are not counted here`
    fill(this.chart, chart(history))
    this.threads.show([
      ...running.map(({ runningMillis, task, threadId }) => [`${threadId}`, task, duration(runningMillis)]),
      ...(idleThreads === 0 ? [] : [[`${idleThreads}`, element("span", { class: "soft" }, "idle"), ""]]),
      ...(pool.waitingThreads === 0
        ? []
        : [[
          `${pool.waitingThreads}`,
          element("span", { class: "soft" }, "of them waiting for an answer from the program"),
          ""
        ]])
    ])
    this.tasks.show(
      pool.tasks.map(({ ended, failed, maxMillis, meanMillis, module, name }) => [
        element("span", { title: module }, name),
        count(ended),
        failed === 0 ? "0" : element("span", { class: "bad-text" }, count(failed)),
        duration(meanMillis),
        duration(maxMillis)
      ])
    )
    this.queueWait.show(histogram(pool.queueWait))
    this.runTime.show(histogram(pool.runTime))
    this.slowest.show(
      pool.slowest.map(({ at, id, runMillis, task }) => [task, `${id}`, time(at), duration(runMillis)])
    )
    this.outcomes.show(
      Object.entries(outcomes).filter(([, ended]) => ended > 0).map(([name, ended]) => [name, count(ended)])
    )
    this.failures.show(
      pool.failures.map(({ at, detail, id, message, outcome, task }) => ({
        key: `${id}`,
        title: `${time(at)}  ${task}  ${outcome}: ${message}`,
        text: detail === "" ? message : detail
      }))
    )
    this.stops.show(
      pool.stops.map(({ at, by, id, step, task, threadId }) => [
        time(at),
        task,
        `${id}`,
        `${stopStep(step)} (thread ${threadId})`,
        stopBy(by)
      ])
    )
  }
}

// -----------------------------------------------------------------------------
// The event loop
// -----------------------------------------------------------------------------

class EventLoop {
  readonly section: HTMLElement
  private readonly stalls = new Details("Stalls, the latest first", "")

  constructor() {
    const heading = element("h2", { id: "event-loop" }, "Event loop")
    this.section = element(
      "section",
      { class: "pool", "aria-labelledby": heading.id },
      element("div", { class: "head" }, heading),
      element("div", { class: "cards" }, this.stalls.card)
    )
  }

  show({ stalls, watched }: Snapshot): void {
    this.stalls.show(
      stalls.map(({ advice, at, frames, millis, site, stack }) => ({
        key: `${at} ${millis}`,
        title: `${time(at)}  blocked for ${duration(millis)} by ${site ?? without[stack] ?? "something"}`,
        text: [advice, ...frames.map((frame) => `    at ${frame}`)].join("\n")
      })),
      watched ? "No stall so far." : "It is not watched: add Watchdog.layer() to the program."
    )
  }
}

const without: Readonly<Record<StallView["stack"], string>> = {
  Unknown: "a native call that returned before its stack could be taken",
  NotTaken: "code whose stack was not taken"
}

// -----------------------------------------------------------------------------
// The page
// -----------------------------------------------------------------------------

const byId = (id: string): HTMLElement => document.getElementById(id)!

const main = byId("pools")
const status = byId("status")
const pauseButton = byId("pause")
const pools = new Map<number, Pool>()
const eventLoop = new EventLoop()
const nothing = element("p", { class: "soft" }, "The program has no pool yet: provide NodeBlocking.layer().")
main.append(nothing, eventLoop.section)

const show = (snapshot: Snapshot): void => {
  const { program } = snapshot
  byId("name").textContent = program.name
  document.title = `${program.name} – pools`
  fill(
    byId("program"),
    facts([
      ["process", `${program.pid}`],
      ["Node", program.node],
      ["up", duration(program.uptimeMillis)],
      ["memory", bytes(program.memoryBytes)],
      ["event loop busy", `${Math.round(program.eventLoop * 100)} %`]
    ])
  )
  const open = new Set(snapshot.pools.map(({ id }) => id))
  for (const [id, pool] of pools) {
    if (open.has(id)) continue
    pool.section.remove()
    pools.delete(id)
  }
  for (const view of snapshot.pools) {
    let pool = pools.get(view.id)
    if (pool === undefined) {
      pools.set(view.id, pool = new Pool(view))
      main.insertBefore(pool.section, eventLoop.section)
    }
    pool.show(view)
  }
  nothing.hidden = pools.size > 0
  eventLoop.show(snapshot)
}

let paused = false

/** Changes the status only if it differs: screen readers announce each change. */
const say = (text: string, kind: string): void => {
  if (status.textContent === text) return
  status.textContent = text
  status.className = kind
}

pauseButton.addEventListener("click", () => {
  paused = !paused
  pauseButton.setAttribute("aria-pressed", String(paused))
  say(paused ? "Paused" : "Live", paused ? "" : "live")
})

const source = new EventSource("/events")
source.addEventListener("message", ({ data }) => {
  if (paused) return
  show(JSON.parse(data as string) as Snapshot)
  say("Live", "live")
})
source.addEventListener("error", () => say("The program does not answer. Reconnecting …", "lost"))
