/**
 * Bull Board's page, made ours: no fonts from another host (the content security policy would refuse them, with an error
 * in the browser's console), and no buttons for what the gateway refuses. Bull Board cannot be told to show Retry alone,
 * so a style sheet hides the rest; a test in a real browser notices when its markup changes.
 */
import type { FastifyInstance } from 'fastify'

const STYLE_PATH = '/outbox.css'

const foreignLinks = /<link\b[^>]*\bhref="(?:https?:)?\/\/[^"]*"[^>]*>/gi

/**
 * A failed job has four buttons (retry, duplicate, update, clean) and a list of failed jobs two (retry all, clean all);
 * jobs and lists in other states have other numbers of them, and none that would be allowed. A queue's menu holds only
 * what is refused; the overview's begins with Pause all and goes on with what is fine. Retry is an icon only, so it gets its name.
 */
const style = `
[class*='jobActions-'] > li:not(:first-child:nth-last-child(4)),
[class*='queueActions-'] > li:not(:first-child:nth-last-child(2)),
[class*='headerContext-'] > button[aria-haspopup='menu'],
[class*='trailing-'] > button[aria-haspopup='menu'],
[class^='dropdown-'] > [role='menuitem']:first-child:not([aria-haspopup]) { display: none; }
[class*='jobActions-'] button::after { content: 'Retry'; margin-inline-start: 0.4em; }
[class*='titleGroup-'] > a { white-space: normal; }
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
