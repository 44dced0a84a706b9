/** The page that an operator opens first: what died, why and when, and the letters themselves. */
import { WINDOW_STATES } from '@wechat-outbox/messages'
import type { LetterCount, Task } from '@wechat-outbox/outbox/engine'
import { knownReason } from '../mask-words.ts'
import { renderChart } from './chart.ts'
import { type Html, html, type Part } from './html.ts'
import { hiddenFields, type PageContext, renderPage, timeOf } from './layout.ts'
import { filterParameters, hrefOf, type ShownFilter } from './links.ts'
import type { AppState, Overview } from './overview-data.ts'
import { reasonMeaning, reasonTitle } from './reasons.ts'
import { shownLetter } from './shown-letter.ts'
import { renderTasksSection } from './task-pages.ts'

export interface OverviewPage {
  readonly apps: readonly string[]
  readonly appid: string
  readonly filter: ShownFilter
  readonly cursor: string | undefined
  readonly isAllTicked: boolean
  readonly overview: Overview
  readonly tasks: readonly Task[]
}

export function renderOverview(context: PageContext, page: OverviewPage): Html {
  const { t } = context
  const { overview, tasks, filter, appid } = page
  const body = html`<h1>${t.title} <small>${appid}</small></h1>
${renderState(context, overview.state)}
${renderFilter(context, page)}
${renderTasksSection(context, tasks)}
<div class="columns">
<section aria-labelledby="counts-title">${renderCounts(context, page)}</section>
<section aria-labelledby="chart-title">${renderChart(context, overview.chart, filter)}</section>
</div>
<section aria-labelledby="list-title">${renderList(context, page)}</section>`
  return renderPage(context, { title: t.title, body, live: true })
}

/** What keeps the app from sending, as a preflight says it, too. */
export function renderState({ t }: PageContext, { hold, isServed }: AppState): Part {
  const fault = hold?.fault
  const said = [
    hold !== null && (hold.operator !== undefined || hold.pausedElsewhere) && t.app.paused(hold.operator?.why ?? ''),
    fault !== undefined && t.app.held([fault.reason.errcode ?? '', fault.reason.name].join(' ').trim()),
    !isServed && t.app.unserved,
  ].filter((one) => one !== false)
  return said.length > 0 && html`<div class="notice">${said.map((one) => html`<p>${one}</p>`)}</div>`
}

function renderFilter({ t, place }: PageContext, { apps, appid, filter, overview }: OverviewPage): Html {
  const keys = overview.counts.counts.map(({ key }) => key)
  const { errcode, touser, window, since, until } = filter
  const all = errcode === undefined || keys.includes(errcode) ? keys : [errcode, ...keys]
  const options = all.map(
    (key) => html`<option value="${key}"${key === errcode && html` selected`}>${reasonTitle(key)}</option>`,
  )
  const windowOptions = WINDOW_STATES.map(
    (state) => html`<option value="${state}"${state === window && html` selected`}>${t.windows[state]}</option>`,
  )
  const appOptions = apps.map((app) => html`<option${app === appid && html` selected`}>${app}</option>`)
  const now = Date.now()
  const periods = [1, 24, 168].map((hours) => {
    const of = { ...filter, since: now - hours * 3_600_000, until: undefined }
    return html`<li><a href="${hrefOf('', place, filterParameters(of))}">${t.filter.last(hours)}</a></li>`
  })
  return html`<search><form class="filter" method="get" action="${hrefOf('', { appid: undefined, lang: undefined })}" aria-label="${t.filter.title}">
${hiddenFields({ lang: place.lang })}
<label>${t.app.label} <select name="app">${appOptions}</select></label>
<label>${t.filter.reason} <select name="errcode"><option value="">${t.filter.anyReason}</option>${options}</select></label>
<label>${t.filter.window} <select name="window"><option value="">${t.filter.anyReason}</option>${windowOptions}</select></label>
<label>${t.filter.search} <input name="q" value="${touser ?? ''}" maxlength="100" placeholder="${t.filter.searchHint}" autocomplete="off" spellcheck="false"></label>
<label>${t.filter.since} <input type="datetime-local" step="any" name="since" value="${localTime(since)}"></label>
<label>${t.filter.until} <input type="datetime-local" step="any" name="until" value="${localTime(until)}"></label>
<button class="primary">${t.filter.show}</button>
</form></search>
<nav class="periods" aria-label="${t.filter.periods}"><ul>${periods}<li><a href="${hrefOf('', place)}">${t.filter.clear}</a></li></ul></nav>`
}

const localTime = (ms: number | undefined): string => (ms === undefined ? '' : new Date(ms).toISOString().slice(0, -1))

function renderCounts({ t, place, language }: PageContext, { overview, filter }: OverviewPage): Html {
  const { counts, others } = overview.counts
  const title = html`<h2 id="counts-title">${t.counts.title}</h2>`
  if (counts.length === 0 && others === 0) return html`${title}<p>${t.counts.empty}</p>`
  const row = ({ key, count }: LetterCount): Html => {
    const isChosen = key === filter.errcode
    const href = hrefOf('', place, filterParameters({ ...filter, errcode: isChosen ? undefined : key }))
    return html`<tr${isChosen && html` class="chosen"`}><th scope="row"><a href="${href}"${isChosen && html` aria-current="true"`}>${key}</a></th>
<td>${reasonMeaning(key, language) ?? t.counts.unknownMeaning}</td><td class="number">${t.number(count)}</td></tr>`
  }
  const rest =
    others > 0 &&
    html`<tr><th scope="row">${t.counts.others}</th><td>${t.counts.othersMeaning}</td><td class="number">${t.number(others)}</td></tr>`
  return html`${title}
<table><caption>${t.counts.caption}</caption>
<thead><tr><th scope="col">${t.counts.code}</th><th scope="col">${t.counts.meaning}</th><th scope="col" class="number">${t.counts.count}</th></tr></thead>
<tbody>${counts.map(row)}${rest}</tbody></table>`
}

function renderList(context: PageContext, page: OverviewPage): Html {
  const { t, place } = context
  const { overview, filter, cursor, isAllTicked } = page
  const { items, next } = overview.page
  const isEmpty = items.length === 0 && next === null
  const title = html`<h2 id="list-title">${t.list.title} ${overview.total !== undefined && html`<small>${t.list.total(overview.total)}</small>`}</h2>`
  const first =
    cursor !== undefined && html`<a href="${hrefOf('', place, filterParameters(filter))}">${t.list.first}</a>`
  if (isEmpty) return html`${title}<p>${t.list.empty} ${first}</p>`
  const of = { ...filterParameters(filter), cursor }
  const tick = hrefOf('', place, { ...of, tick: isAllTicked ? undefined : 'all' })
  const following =
    next !== null &&
    html`<a rel="next" href="${hrefOf('', place, { ...filterParameters(filter), cursor: next })}">${t.list.next}</a>`
  const pages = html`<p class="pages">${first} ${following}</p>`
  const found = renderActions(context, { of: 'found', legend: t.list.found(overview.total), filter })
  if (items.length === 0) return html`${title}<p>${t.list.looked}</p>${pages}${found}`
  return html`${title}
${found}
<form id="ticked" method="get" action="${hrefOf('/preflight', { appid: undefined, lang: undefined })}">
<p><a href="${tick}">${isAllTicked ? t.list.tickNone : t.list.tickAll}</a></p>
<table class="letters"><caption>${t.list.caption}</caption>
<thead><tr><th scope="col">${t.list.tick}</th><th scope="col">${t.list.died}</th><th scope="col">${t.list.reason}</th><th scope="col">${t.list.person}</th><th scope="col" class="wide">${t.list.type}</th><th scope="col" class="wide number">${t.list.tries}</th></tr></thead>
<tbody>${items.map((item) => renderRow(context, shownLetter(item, context), { isAllTicked, filter }))}</tbody></table>
<fieldset class="actions"><legend>${t.list.ticked}</legend>
${hiddenFields({ app: place.appid, lang: place.lang, of: 'ticked' })}
<button name="action" value="replay">${t.list.replayTicked}</button>
<button name="action" value="discard">${t.list.discardTicked}</button>
</fieldset></form>
${pages}`
}

function renderRow(
  { t, place }: PageContext,
  letter: ReturnType<typeof shownLetter>,
  { isAllTicked, filter }: { isAllTicked: boolean; filter: ShownFilter },
): Html {
  const { id, reasonKey, reason, person, openid, msgtype, attempts, deadAt } = letter
  const byReason = hrefOf('', place, filterParameters({ ...filter, errcode: reasonKey }))
  const byPerson = hrefOf('', place, filterParameters({ ...filter, touser: openid }))
  const isLinked = reasonKey !== undefined && (/^-?\d+$/.test(reasonKey) || knownReason(reasonKey) !== undefined)
  return html`<tr><td><input type="checkbox" name="id" value="${id}" aria-label="${t.list.tickOne(id)}"${isAllTicked && html` checked`}></td>
<th scope="row"><a href="${hrefOf(`/letters/${encodeURIComponent(id)}`, place)}">${deadAt === undefined ? id : timeOf(deadAt)}</a></th>
<td>${isLinked ? html`<a class="quiet" href="${byReason}">${reason}</a>` : reason || t.hidden}</td>
<td class="openid">${openid ? html`<a class="quiet" href="${byPerson}">${openid}</a>` : person || t.hidden}</td>
<td class="wide">${msgtype}</td><td class="wide number">${attempts.length}</td></tr>`
}

/** The way to a preflight of all that the filter finds. */
function renderActions(
  { t, place }: PageContext,
  { of, legend, filter }: { of: 'found'; legend: string; filter: ShownFilter },
): Html {
  return html`<form method="get" action="${hrefOf('/preflight', { appid: undefined, lang: undefined })}">
<fieldset class="actions"><legend>${legend}</legend>
${hiddenFields({ app: place.appid, lang: place.lang, of, ...filterParameters(filter) })}
<button name="action" value="replay">${t.list.replayFound}</button>
<button name="action" value="discard">${t.list.discardFound}</button>
</fieldset></form>`
}
