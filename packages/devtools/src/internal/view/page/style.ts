/** The style of the page: light or dark as the system is, with as many columns as fit. */
export const css = `:root {
  color-scheme: light dark;
  --back: light-dark(#f6f7f9, #14171c);
  --card: light-dark(#ffffff, #1c2129);
  --line: light-dark(#dde1e7, #313844);
  --text: light-dark(#1d232b, #e6e9ee);
  --soft: light-dark(#5a6472, #a0a9b6);
  --blue: light-dark(#1f6feb, #6ea8ff);
  --blue-soft: light-dark(#d3e3fd, #1f3a63);
  --amber: light-dark(#9a5b00, #f0b35a);
  --red: light-dark(#c0262d, #ff8a8a);
  --green: light-dark(#1a7f37, #6fd08c);
}
* { box-sizing: border-box }
body {
  margin: 0;
  background: var(--back);
  color: var(--text);
  font: 14px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
}
.skip { position: absolute; left: -999px }
.skip:focus { left: 8px; top: 8px; background: var(--card); padding: 4px 8px; z-index: 2 }
:focus-visible { outline: 2px solid var(--blue); outline-offset: 2px; border-radius: 3px }
header {
  display: flex; flex-wrap: wrap; gap: 8px 24px; align-items: center;
  padding: 10px 20px; background: var(--card); border-bottom: 1px solid var(--line);
  position: sticky; top: 0; z-index: 1;
}
h1 { font-size: 17px; margin: 0 }
h2 { font-size: 16px; margin: 0; overflow-wrap: anywhere }
h3 { font-size: 13px; margin: 0 0 8px; color: var(--soft); font-weight: 600 }
.facts { display: flex; flex-wrap: wrap; gap: 2px 18px; margin: 0; flex: 1 }
.facts div { display: flex; gap: 6px; white-space: nowrap }
dt { color: var(--soft) }
dd { margin: 0; font-variant-numeric: tabular-nums }
.controls { display: flex; gap: 12px; align-items: center }
#status { color: var(--soft) }
#status.live::before { content: ""; display: inline-block; width: 8px; height: 8px; border-radius: 50%; background: var(--green); margin-right: 6px }
#status.lost { color: var(--red) }
button { font: inherit; color: inherit; background: var(--back); border: 1px solid var(--line); border-radius: 6px; padding: 3px 12px; cursor: pointer }
button[aria-pressed="true"] { background: var(--blue-soft); border-color: var(--blue) }
main { padding: 16px 20px 40px; display: grid; gap: 24px; max-width: 1760px; margin: 0 auto; outline: none }
section.pool > .head { display: flex; flex-wrap: wrap; gap: 4px 16px; align-items: baseline; margin-bottom: 10px }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(112px, 1fr)); gap: 10px; margin: 0 0 12px }
.tiles div { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 8px 12px }
.tiles dd { font-size: 20px; line-height: 1.2 }
.tiles .warn dd { color: var(--amber) }
.tiles .bad dd { color: var(--red) }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 420px), 1fr)); gap: 12px; align-items: start }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 12px 14px; min-width: 0 }
.wide { grid-column: 1 / -1 }
.scroll { overflow: auto; max-height: 320px }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
caption { text-align: left; color: var(--soft); font-weight: 600; font-size: 13px; padding-bottom: 6px }
th { text-align: left; font-weight: 500; color: var(--soft); white-space: nowrap; position: sticky; top: 0; background: var(--card) }
th, td { padding: 3px 10px 3px 0; vertical-align: top }
tbody tr { border-top: 1px solid var(--line) }
td.n, th.n { text-align: right; white-space: nowrap; width: 1% }
td.t { overflow-wrap: anywhere }
.soft { color: var(--soft) }
.bad-text { color: var(--red) }
.bar { display: block; height: 10px; background: var(--blue); border-radius: 2px; min-width: 1px }
.bar.none { background: transparent }
.hist td:last-child { width: 55% ; vertical-align: middle; padding-right: 0 }
svg { display: block; width: 100%; height: 120px; overflow: visible }
svg .area { fill: var(--blue-soft) }
svg .queue { stroke: var(--blue); fill: none; stroke-width: 1.5; vector-effect: non-scaling-stroke }
svg .running { stroke: var(--amber); fill: none; stroke-width: 1.5; vector-effect: non-scaling-stroke }
svg .axis { stroke: var(--line); vector-effect: non-scaling-stroke }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; color: var(--soft); margin-top: 6px }
.legend i { display: inline-block; width: 14px; height: 3px; vertical-align: middle; margin-right: 6px }
.legend .queue { background: var(--blue) }
.legend .running { background: var(--amber) }
details { border-top: 1px solid var(--line); padding: 5px 0 }
summary { cursor: pointer; overflow-wrap: anywhere }
pre { margin: 6px 0 4px; padding: 8px; background: var(--back); border-radius: 6px; overflow: auto; font: 12px/1.45 ui-monospace, "DejaVu Sans Mono", monospace }
@media (max-width: 600px) {
  header, main { padding-left: 12px; padding-right: 12px }
  header { position: static; justify-content: space-between }
  .facts { order: 1; flex-basis: 100% }
  .tiles { grid-template-columns: 1fr 1fr }
}
@media (prefers-reduced-motion: no-preference) { .bar { transition: width .3s } }
`
