/** One dead letter, whole, and what has become of one that is no longer there. */
import type { StatusReport } from '@wechat-outbox/messages'
import { PROSPECT_MEANINGS, replayProspect } from '@wechat-outbox/policy'
import { type Html, html, type Part } from './html.ts'
import { hiddenFields, type PageContext, renderPage, timeOf } from './layout.ts'
import { filterParameters, hrefOf } from './links.ts'
import type { ShownAttempt, ShownLetter } from './shown-letter.ts'

export function renderLetter(context: PageContext, letter: ShownLetter): Html {
  const { t } = context
  const title = t.letter.title(letter.id)
  const body = html`<h1>${title}</h1>
${letter.notReplayable !== undefined && html`<div class="notice"><p>${t.letter.notReplayable[letter.notReplayable]}</p></div>`}
<dl>${renderFacts(context, letter)}</dl>
<section aria-labelledby="attempts-title"><h2 id="attempts-title">${t.letter.attempts}</h2>${renderAttempts(context, letter.attempts)}</section>
<section aria-labelledby="metadata-title"><h2 id="metadata-title">${t.letter.metadata}</h2>
${letter.metadata === undefined ? html`<p>${t.none}</p>` : html`<pre>${letter.metadata}</pre>`}</section>
<section aria-labelledby="content-title"><h2 id="content-title">${t.letter.content}</h2>
${renderContent(context, letter)}</section>
<section aria-labelledby="actions-title"><h2 id="actions-title">${t.letter.actions}</h2>${renderActions(context, letter)}</section>
<p><a href="${hrefOf('', context.place)}">${t.back}</a></p>`
  return renderPage(context, { title, body })
}

function renderFacts({ t, place, language }: PageContext, letter: ShownLetter): Part[] {
  const fact = (name: string, value: Part): Part =>
    value !== false && value !== undefined && value !== '' && html`<div><dt>${name}</dt><dd>${value}</dd></div>`
  const { openid, replayOf, reasonKey } = letter
  const isReplayable = reasonKey !== undefined && letter.notReplayable === undefined
  const person = hrefOf('', place, filterParameters({ touser: openid }))
  return [
    fact(t.letter.reason, letter.reason === '' ? t.hidden : html`<strong>${letter.reason}</strong>`),
    fact(t.letter.meaning, letter.meaning),
    fact(t.letter.said, letter.errmsg),
    fact(t.letter.rid, letter.rid),
    fact(t.letter.source, letter.source),
    fact(t.preflight.prospect, isReplayable && PROSPECT_MEANINGS[replayProspect(reasonKey)][language]),
    fact(t.letter.died, timeOf(letter.deadAt)),
    fact(t.letter.accepted, timeOf(letter.acceptedAt)),
    fact(t.letter.person, openid ? html`${openid} – <a href="${person}">${t.letter.personLetters}</a>` : letter.person),
    fact(t.letter.type, letter.msgtype),
    fact(t.letter.message, letter.messageId),
    fact(t.letter.replayOf, replayOf !== undefined && html`<a href="${letterHref(place, replayOf)}">${replayOf}</a>`),
    fact(t.letter.earlier, letter.earlierReasons.join(', ')),
  ]
}

const letterHref = (place: PageContext['place'], id: string): string =>
  hrefOf(`/letters/${encodeURIComponent(id)}`, place)

function renderAttempts({ t }: PageContext, attempts: readonly ShownAttempt[]): Html {
  if (attempts.length === 0) return html`<p>${t.letter.noAttempts}</p>`
  const rows = attempts.map(
    ({ at, outcome, answer, rid, ms }) => html`<tr><th scope="row">${timeOf(at)}</th>
<td>${(t.outcomes as Readonly<Record<string, string>>)[outcome] ?? outcome}</td>
<td>${answer}${rid !== undefined && !answer.includes(rid) && html` <small>rid ${rid}</small>`}</td><td class="number">${ms !== undefined && t.letter.ms(ms)}</td></tr>`,
  )
  return html`<table><caption>${t.letter.attemptsCaption}</caption>
<thead><tr><th scope="col">${t.letter.at}</th><th scope="col">${t.letter.outcome}</th><th scope="col">${t.letter.answer}</th><th scope="col" class="number">${t.letter.took}</th></tr></thead>
<tbody>${rows}</tbody></table>`
}

function renderContent({ t }: PageContext, { content, notReplayable }: ShownLetter): Html {
  if (notReplayable === 'content-removed') return html`<p>${t.letter.notReplayable[notReplayable]}</p>`
  return content === undefined ? html`<p>${t.letter.contentHidden}</p>` : html`<pre>${content}</pre>`
}

function renderActions({ t, place }: PageContext, { id, notReplayable }: ShownLetter): Html {
  return html`<form class="actions" method="get" action="${hrefOf('/preflight', { appid: undefined, lang: undefined })}">
${hiddenFields({ app: place.appid, lang: place.lang, of: 'ticked', id })}
${notReplayable === undefined && html`<button name="action" value="replay">${t.list.replay}</button>`}
<button name="action" value="discard">${t.list.discard}</button></form>`
}

/** `report`: what is remembered of the message that the letter was, or of the one that was asked for. */
export function renderGone(context: PageContext, { id, report }: { id: string; report: StatusReport | null }): Html {
  const { t, place } = context
  const next = report?.replayedAs
  const known = report !== null && html`<p>${t.gone.status(report.id, t.statuses[report.status])}</p>`
  const replayed =
    next !== undefined && html`<p>${t.gone.replayedAs} <a href="${letterHref(place, next)}">${next}</a></p>`
  const body = html`<h1>${t.gone.title}</h1>
${known === false ? html`<p>${t.gone.unknown(id)}</p>` : known}${replayed}
<p><a href="${hrefOf('', place)}">${t.back}</a></p>`
  return renderPage(context, { title: t.gone.title, body })
}
