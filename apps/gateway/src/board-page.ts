/**
 * Bull Board's page, made ours: no fonts from another host (the content security policy would refuse them, with an error
 * in the browser's console), and no buttons for what the gateway refuses. Bull Board cannot be told to show Retry alone,
 * so a style sheet hides the rest; a test in a real browser notices when its markup changes.
 */
import type { FastifyInstance } from 'fastify'

const STYLE_PATH = '/outbox.css'

const foreignLinks = /<link\b[^>]*\bhref="(?:https?:)?\/\/[^"]*"[^>]*>/gi

/**
 * A failed job has four buttons (retry, duplicate, update, clean); jobs in other states have other numbers of them, and none
 * that would be allowed. What can be done with a whole list or queue is refused; the overview's menu begins with Pause
 * all and Retry failed, and goes on with what is fine. Retry is an icon only, so it gets its name.
 *
 * The description of a queue is one pale line that is cut at its end. A queue that is held has ` – ` in its name, and its description
 * is the notice that says why: a bar below the header, which grows by the bar's height.
 */
const style = `
[class*='jobActions-'] > li:not(:first-child:nth-last-child(4)),
ul[class*='queueActions-'],
[class*='headerContext-'] > button[aria-haspopup='menu'],
[class*='trailing-'] > button[aria-haspopup='menu'],
[class^='dropdown-'] > [role='menuitem']:nth-child(-n + 2):not([aria-haspopup]) { display: none; }
[class*='jobActions-'] button::after { content: 'Retry'; margin-inline-start: 0.4em; }
[class*='titleGroup-'] > a { white-space: normal; }
[class*='titleGroup-'] > a[title*=' – '] { color: #b45309; }
[class*='queueTitle-'] > p { opacity: 1; font-weight: 400; }
:root:has(h1[title*=' – ']) {
  --notice-height: 5.4rem;
  &, .dark-mode { --header-offset: calc(var(--header-height) + var(--notice-height)); }
  header { padding-bottom: var(--notice-height); }
  header > a { height: var(--header-height); }
  h1[title*=' – '] { color: #b45309; }
  [class*='queueTitle-'] > p {
    position: fixed; top: var(--header-height); left: 0; right: 0; height: var(--notice-height); box-sizing: border-box;
    overflow-y: auto; padding: 0.6rem var(--body-padding) 0.6rem calc(var(--menu-width) + var(--body-padding)); white-space: normal; overflow-wrap: anywhere;
    background: #fff3cd; color: #4a3500; border-block: 1px solid #e0b84c; font-size: 0.95rem; font-weight: 500; line-height: 1.45;
  }
  body[data-sidebar-collapsed='true'] [class*='queueTitle-'] > p { padding-left: var(--body-padding); }
}
`

export function addBoardPage(app: FastifyInstance): void {
  app.get(STYLE_PATH, (_request, reply) => reply.type('text/css; charset=utf-8').send(style))
  app.addHook('onSend', async (_request, reply, payload) => {
    const isPage = String(reply.getHeader('content-type') ?? '').startsWith('text/html')
    return isPage && typeof payload === 'string' ? ownPage(payload) : payload
  })
}

/** Relative, as the page's other addresses are: its `base` is the dashboard's path. */
function ownPage(html: string): string {
  return html
    .replaceAll(foreignLinks, '')
    .replace('</head>', `<link href="${STYLE_PATH.slice(1)}" rel="stylesheet"></head>`)
}
