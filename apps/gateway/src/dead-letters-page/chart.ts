/** The chart of deaths by hour: drawn here, with the same numbers as a table for who does not see it. */

import { type Html, html } from './html.ts'
import { type PageContext, timeText } from './layout.ts'
import { filterParameters, hrefOf, type ShownFilter } from './links.ts'
import type { HourChart } from './overview-data.ts'

const HOUR_MS = 3_600_000
const BAR_WIDTH = 10
const HEIGHT = 100
/** A single letter among thousands is seen all the same. */
const HEIGHT_MIN = 2

const hourText = (ms: number): string => timeText(ms).slice(0, 16)

export function renderChart({ t, place }: PageContext, { first, last, counts }: HourChart, filter: ShownFilter): Html {
  const hours = Math.round((last - first) / HOUR_MS) + 1
  const title = html`<h2 id="chart-title">${t.chart.title} <small>${t.chart.hours(hours)}</small></h2>`
  if (counts === undefined) return html`${title}<p>${t.chart.notCounted}</p>`
  if (counts.length === 0) return html`${title}<p>${t.chart.empty(hours)}</p>`
  const most = Math.max(...counts.map(({ count }) => count))
  const bars = counts.map(({ key, count }) => {
    const x = Math.round((Date.parse(key) - first) / HOUR_MS) * BAR_WIDTH + 1
    const height = Math.max(HEIGHT_MIN, Math.round((count / most) * HEIGHT))
    const name = t.chart.bar(hourText(Date.parse(key)), count)
    return html`<rect x="${x}" y="${HEIGHT - height}" width="${BAR_WIDTH - 2}" height="${height}"><title>${name}</title></rect>`
  })
  const rows = counts.toReversed().map(({ key, count }) => {
    const begin = Date.parse(key)
    const of = { ...filter, since: begin, until: begin + HOUR_MS - 1 }
    const href = hrefOf('', place, filterParameters(of))
    return html`<tr><th scope="row"><a href="${href}">${hourText(begin)}</a></th><td class="number">${t.number(count)}</td></tr>`
  })
  return html`${title}
<svg class="chart" viewBox="0 0 ${hours * BAR_WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${t.chart.label(hourText(first), hourText(last), most)}">
${bars}</svg>
<p class="axis" aria-hidden="true"><span>${hourText(first)}</span><span>${t.chart.most(most)}</span><span>${hourText(last)}</span></p>
<details><summary>${t.chart.table}</summary>
<table><caption>${t.chart.caption}</caption>
<thead><tr><th scope="col">${t.chart.hour}</th><th scope="col" class="number">${t.counts.count}</th></tr></thead>
<tbody>${rows}</tbody></table></details>`
}
