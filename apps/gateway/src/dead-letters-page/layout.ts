/** What all pages have in common: head, navigation, the switch of the language, and small pieces of text. */
import { DASHBOARD_PATH } from '../board.ts'
import { HTMX_PATH, ICON_PATH, STYLE_PATH } from './assets.ts'
import { type Html, html, type Part } from './html.ts'
import { LANGUAGES, type Language, NAMES, TEXTS } from './language.ts'
import { hrefOf, type Place } from './links.ts'
import type { Texts } from './texts.ts'

export interface PageContext {
  readonly language: Language
  readonly t: Texts
  readonly place: Place
  /** This page in each language. */
  readonly switchTo: (language: Language) => string
  readonly user: string | undefined
  readonly showContent: boolean
}

/**
 * htmx keeps no page in the browser's store, sets no style, and leaves the page as it is when an answer is an error. It has nothing to
 * evaluate, and the content security policy forbids it.
 */
const HTMX_CONFIG = JSON.stringify({ history: false, includeIndicatorCSS: false, noSwap: [204, 304, '4xx', '5xx'] })

interface Page {
  readonly title: string
  readonly body: Part
  /** Whether parts of it renew themselves. */
  readonly live?: boolean
}

export function renderPage({ t, language, place, switchTo, user }: PageContext, { title, body, live }: Page): Html {
  const switches = LANGUAGES.map((one) =>
    one === language
      ? html`<li><span lang="${NAMES[one].tag}" aria-current="true">${NAMES[one].name}</span></li>`
      : html`<li><a href="${switchTo(one)}" lang="${NAMES[one].tag}" hreflang="${NAMES[one].tag}">${NAMES[one].name}</a></li>`,
  )
  return html`<!doctype html>
<html lang="${NAMES[language].tag}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title === t.product ? title : `${title} · ${t.product}`}</title>
<link rel="icon" href="${ICON_PATH}">
<link rel="stylesheet" href="${STYLE_PATH}">
${live === true && html`<meta name="htmx-config" content="${HTMX_CONFIG}"><script src="${HTMX_PATH}" defer></script>`}
</head>
<body>
<a class="skip" href="#main">${t.skip}</a>
<header>
<nav aria-label="${t.pages}"><ul>
<li><a class="brand" href="/">${t.product}</a></li>
<li><a href="${hrefOf('', place)}">${t.title}</a></li>
<li><a href="${DASHBOARD_PATH}">${t.queues}</a></li>
<li><a href="/docs">${t.api}</a></li>
</ul></nav>
<nav aria-label="${t.language}"><ul>${switches}</ul></nav>
</header>
<main id="main" tabindex="-1">
${body}
</main>
<footer><p>${t.utc}${user !== undefined && html` ${t.signedIn(user)}`}</p></footer>
</body>
</html>
`
}

/** What went wrong, and what of the request is meant by it. */
export function renderProblem(
  context: PageContext,
  {
    title,
    detail,
    problems,
  }: { title: string; detail: string; problems: readonly { path: string; message: string }[] },
): Html {
  const { t, place } = context
  const list = problems.map(({ path, message }) => html`<li><code>${path}</code> ${t.problemOf(path, message)}</li>`)
  const body = html`<h1>${title}</h1><p>${detail}</p>${list.length > 0 && html`<ul>${list}</ul>`}<p><a href="${hrefOf('', place)}">${t.back}</a></p>`
  return renderPage(context, { title, body })
}

/** `/`: where everything is. Anybody may see it. */
export function renderRoot(language: Language, lang: Language | undefined): Html {
  const t = TEXTS[language]
  const place: Place = { appid: undefined, lang }
  const switchTo = (other: Language): string => `/?lang=${other}`
  const links = [
    [hrefOf('', place), t.title, t.rootLinks.deadLetters],
    [DASHBOARD_PATH, t.queues, t.rootLinks.queues],
    ['/docs', t.api, t.rootLinks.api],
  ] as const
  const items = links.map(([href, name, about]) => html`<li><a href="${href}">${name}</a> – ${about}</li>`)
  const body = html`<h1>${t.root.title}</h1><p>${t.root.about}</p><ul>${items}</ul>`
  return renderPage(
    { t, language, place, switchTo, user: undefined, showContent: false },
    { title: t.root.title, body },
  )
}

/** `2026-11-28 10:33:05`, in UTC. */
export function timeText(ms: number): string {
  return isTime(ms) ? new Date(ms).toISOString().slice(0, 19).replace('T', ' ') : String(ms)
}

export function timeOf(ms: number | undefined): Part {
  if (ms === undefined || !isTime(ms)) return false
  return html`<time datetime="${new Date(ms).toISOString()}">${timeText(ms)}</time>`
}

const isTime = (ms: number): boolean => Math.abs(ms) <= 8.64e15

/** A duration in the largest unit that is exact enough. */
export function durationText({ durations }: Texts, seconds: number): string {
  if (seconds < 100) return durations.seconds(Math.max(1, Math.ceil(seconds)))
  if (seconds < 6000) return durations.minutes(Math.round(seconds / 60))
  return durations.hours(Math.round(seconds / 3600))
}

/** Fields that a form sends beside those that are seen. */
export function hiddenFields(fields: Readonly<Record<string, string | number | undefined>>): Html[] {
  return Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [html`<input type="hidden" name="${name}" value="${value}">`],
  )
}
