/** The preflight, and the button that confirms it. What is confirmed is what was counted: the same ids, or the same filter up to its time. */
import { PROSPECT_MEANINGS, replayProspect } from '@wechat-outbox/policy'
import { type Html, html, type Part } from './html.ts'
import { durationText, hiddenFields, type PageContext, renderPage, timeText } from './layout.ts'
import { filterParameters, hrefOf } from './links.ts'
import { renderState } from './overview-page.ts'
import type { Preflight } from './preflight.ts'
import { reasonMeaning, reasonTitle } from './reasons.ts'

type Action = 'replay' | 'discard'

export interface PreflightPage {
  readonly action: Action
  readonly perSecond: number | undefined
  readonly preflight: Preflight
}

/** What workers do without a limit of the task's own: their default for replays, and what discards take on a small machine. */
const USUAL_PER_SECOND: Readonly<Record<Action, number>> = { replay: 200, discard: 2000 }

export function renderPreflight(context: PageContext, page: PreflightPage): Html {
  const { t, place } = context
  const { action, preflight } = page
  const { counts, chosen } = preflight
  const back = 'filter' in chosen ? hrefOf('', place, filterParameters(chosen.filter)) : hrefOf('', place)
  if (counts.total === 0) {
    const nothing = html`<h1>${t.preflight.nothing}</h1><p>${t.preflight.nothingWhy}</p><p><a href="${back}">${t.back}</a></p>`
    return renderPage(context, { title: t.preflight.nothing, body: nothing })
  }
  const title = t.preflight.title(action, counts.total)
  const body = html`<h1>${title}</h1>
${renderState(context, preflight.state)}
${action === 'discard' && html`<div class="notice danger"><p>${t.preflight.final}</p></div>`}
<dl><div><dt>${t.preflight.which}</dt><dd><ul>${renderWhich(context, preflight)}</ul></dd></div>
${action === 'replay' && renderSendable(context, preflight)}
<div><dt>${t.preflight.time}</dt><dd>${renderTime(context, page)}</dd></div></dl>
${renderCounts(context, page)}
${renderForm(context, page, back)}`
  return renderPage(context, { title, body })
}

function renderWhich({ t, place }: PageContext, { chosen, gone, counts }: Preflight): Html[] {
  const item = (text: Part): Html => html`<li>${text}</li>`
  if ('ids' in chosen)
    return [item(t.preflight.ticked(counts.total)), ...(gone > 0 ? [item(t.preflight.gone(gone))] : [])]
  const { errcode, touser, window, since, until } = chosen.filter
  return [
    errcode === undefined && touser === undefined && window === undefined && since === undefined
      ? `${t.preflight.allOf} ${place.appid ?? ''}`
      : undefined,
    errcode === undefined ? undefined : t.preflight.code(reasonTitle(errcode)),
    touser === undefined ? undefined : t.preflight.person(touser),
    window === undefined ? undefined : t.preflight.window(t.windows[window]),
    since === undefined ? undefined : t.preflight.since(timeText(since)),
    t.preflight.until(timeText(until)),
  ].flatMap((text) => (text === undefined ? [] : [item(text)]))
}

function renderSendable(
  { t }: PageContext,
  { counts, sendable, afterUserAction, windows, unreadable }: Preflight,
): Html {
  const unreadableText = unreadable === undefined ? t.preflight.unreadableUnknown : t.preflight.unreadable(unreadable)
  return html`<div><dt>${t.preflight.now}</dt><dd><ul>
<li><strong>${t.preflight.nowCount(sendable, counts.total)}</strong></li>
${afterUserAction > 0 && html`<li>${t.number(afterUserAction)}: ${windowsText(t, afterUserAction, windows)}</li>`}
${unreadable !== 0 && html`<li>${unreadableText}</li>`}
<li>${t.preflight.takeBack}</li></ul></dd></div>`
}

/** What the ledger knows of those that died of their reply window. */
function windowsText(t: PageContext['t'], total: number, windows: Preflight['windows']): string {
  const sum = (...states: readonly string[]): number =>
    windows.reduce((all, { key, count }) => all + (states.length === 0 || states.includes(key) ? count : 0), 0)
  const looked = sum()
  const unknown = sum('unknown')
  if (unknown === looked) return t.preflight.windowsUnknown
  return t.preflight.windows({ total, looked, open: sum('open'), shut: sum('used-up', 'closed'), unknown })
}

function renderTime({ t }: PageContext, { action, perSecond, preflight }: PreflightPage): string {
  const { total } = preflight.counts
  const usual = USUAL_PER_SECOND[action]
  if (perSecond === undefined) return t.preflight.timeFree(usual, durationText(t, total / usual))
  return t.preflight.timeAt(perSecond, durationText(t, total / Math.min(perSecond, usual)))
}

function renderCounts({ t, language }: PageContext, { action, preflight }: PreflightPage): Html {
  const { counts, others } = preflight.counts
  const isReplay = action === 'replay'
  const rows = counts.map(
    ({
      key,
      count,
    }) => html`<tr><th scope="row">${reasonTitle(key)}</th><td class="wide">${reasonMeaning(key, language) ?? t.counts.unknownMeaning}</td>
${isReplay && html`<td>${PROSPECT_MEANINGS[replayProspect(key)][language]}</td>`}<td class="number">${t.number(count)}</td></tr>`,
  )
  const rest =
    others > 0 &&
    html`<tr><th scope="row">${t.counts.others}</th><td class="wide">${t.counts.othersMeaning}</td>${isReplay && html`<td>${PROSPECT_MEANINGS.unknown[language]}</td>`}<td class="number">${t.number(others)}</td></tr>`
  return html`<table><caption>${isReplay ? t.preflight.caption : t.counts.caption}</caption>
<thead><tr><th scope="col">${t.counts.code}</th><th scope="col" class="wide">${t.counts.meaning}</th>${isReplay && html`<th scope="col">${t.preflight.prospect}</th>`}<th scope="col" class="number">${t.counts.count}</th></tr></thead>
<tbody>${rows}${rest}</tbody></table>`
}

/** The first button is the one that Enter in the field presses, and it changes nothing. */
function renderForm({ t, place }: PageContext, { action, perSecond, preflight }: PreflightPage, back: string): Html {
  const { chosen, counts } = preflight
  const of =
    'ids' in chosen
      ? [hiddenFields({ of: 'ticked' }), chosen.ids.map((id) => html`<input type="hidden" name="id" value="${id}">`)]
      : [hiddenFields({ of: 'found', ...filterParameters(chosen.filter) })]
  const here = { appid: undefined, lang: undefined }
  return html`<form class="confirm" method="post" action="${hrefOf('/tasks', here)}">
${hiddenFields({ app: place.appid, lang: place.lang, action })}${of}
<label>${t.preflight.perSecond} <input name="perSecond" inputmode="numeric" pattern="[0-9]{1,5}" value="${perSecond ?? ''}" aria-describedby="rate-hint" autocomplete="off"></label>
<small id="rate-hint">${t.preflight.perSecondHint}</small>
<p class="actions"><button formmethod="get" formaction="${hrefOf('/preflight', here)}">${t.preflight.recalculate}</button>
<button class="${action === 'discard' ? 'danger' : 'primary'}">${t.preflight.confirm(action, counts.total)}</button>
<a href="${back}">${t.preflight.cancel}</a></p></form>`
}
