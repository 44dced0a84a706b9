/**
 * Writes `docs/errcodes.md` from the tables in `src/errcodes.ts`: run this file with Node after changing a code. The test
 * beside it fails while the two differ.
 */
import { writeFileSync } from 'node:fs'
import { type ErrcodeAction, OWN_REASONS, OWN_SOURCE, SEND_ERRCODES, TOKEN_ERRCODES } from '../src/errcodes.ts'

export const DOCUMENT_URL = new URL('../../../docs/errcodes.md', import.meta.url)

const ACTIONS: Readonly<Record<ErrcodeAction, string>> = {
  delivered: 'The message has reached its end. It is never sent again.',
  retry:
    'The message is sent again after a pause that grows with every try and is drawn at random, up to `RETRY_ATTEMPTS_MAX` tries. Then it is dead as `retries-exhausted`. For these two codes that holds whatever `ifUnsure` says. Users report -1 also for a page whose `thumb_media_id` is wrong: nothing tells that from a busy WeChat, so such a message costs all its tries, 16 by default, before it is dead.',
  'refresh-token':
    'The shared access token is replaced, unless it is the current one and only young or refused by chance, and the message is sent again; this costs it no try. If fresh tokens are refused as well, three in a row, or the current one for 15 seconds, the app is suspended. See [tokens.md](tokens.md).',
  'renew-media':
    'A media id that the outbox got for a picture’s URL is forgotten, the picture is uploaded once more and the message sent again, once within the same try. A producer’s own id, or a second refusal: **dead**. See [media.md](media.md).',
  dead: 'The message becomes a dead letter with the reason. It can be replayed, which sends it as a new message.',
  'reply-window':
    'WeChat takes nothing more for this person until the person does something. The message becomes a dead letter; with `onClosed: "hold"` it waits for the user instead and loses no try. See [reply-windows.md](reply-windows.md).',
  wait: 'The message steps back for a moment and loses no try. Five such answers in a row suspend the app.',
  'throttle-minute': 'The app is held for a minute. Its messages wait in order, and none of them loses a try.',
  'throttle-day':
    'WeChat says that the daily quota is gone. The app is held and probed like a suspended one, because WeChat says so at times with the quota unused, and gives more on request. Messages wait in order, and none of them loses a try.',
  suspend:
    'The fault is in the settings of the app, not in the message. The app is suspended and probed after 15 s, 30 s, then every minute, its messages wait in order, and none of them loses a try. Other apps go on. See [suspension.md](suspension.md).',
}

export function errcodesDocument(): string {
  return `${[
    '# Return codes',
    'What WeChat may answer and what is done about it. This page is generated from `packages/policy/src/errcodes.ts`; a test compares the two. Only the code decides: WeChat changes the text beside it without notice.',
    '## Actions',
    Object.entries(ACTIONS)
      .map(([action, text]) => `- **${action}**: ${text}`)
      .join('\n'),
    'A wait ends at the latest when the message expires, and a retry that could only come after that is not made: the message is dead as `expired`.',
    '## Answers to a send',
    table(
      ['errcode', 'name', 'action', 'meaning', '含义', 'source'],
      SEND_ERRCODES.map((row) => [row.errcode, row.name, actionCell(row), row.meaning.en, row.meaning.zh, row.source]),
    ),
    'An action marked *suspend at n in a row* turns into **suspend** when that many such answers come one after another without a success between: then the fault is the app’s. A code that is not listed is dead as `unknown` and keeps its number and text; five calls in a row, for at least two people, that brought such codes or no answer of WeChat’s suspend the app, and no more messages die of it (see [suspension.md](suspension.md)).',
    '## Answers of the token endpoints',
    '**suspend** says that the credentials or the settings of the app are wrong, **throttle** that the endpoint was asked too often; either holds the app at once, and its probes ask the endpoint: after 15 s, 30 s, then every minute, after 45011 once a minute. Every other answer, and no answer at all, is taken for a passing fault: the endpoint is asked again after 15 s, then 30 s, then every minute, by all processes together; messages step back for a few seconds, and five that do so in a row suspend the app until then.',
    table(
      ['errcode', 'name', 'action', 'meaning', '含义', 'source'],
      TOKEN_ERRCODES.map((row) => [row.errcode, row.name, row.action, row.meaning.en, row.meaning.zh, row.source]),
    ),
    '## Reasons of our own',
    `Source: ${OWN_SOURCE}. Where WeChat had answered before, its last code and text are kept beside the name.`,
    table(
      ['name', 'action', 'meaning', '含义'],
      OWN_REASONS.map((row) => [row.name, row.action, row.meaning.en, row.meaning.zh]),
    ),
    '`media-unavailable` is the end at once where the picture is gone (404, 410 and every other refusal of its server but 408, 425 and 429), too large, no picture, or at no public address. A server that is busy (408, 425, 429, 5xx) or away, and an upload that got no answer, are retried at the cost of a try each, not before its `Retry-After`; the last try ends so. What WeChat answers to an upload is judged by the table above.',
    '## Calls without an answer',
    table(
      ['what happened', 'outcome', 'what is done'],
      [
        [
          'DNS, connection or TLS failed, or no connection became free: nothing was written',
          'not-sent',
          'sent again after a moment; no try is counted; five in a row suspend the app',
        ],
        [
          'HTTP 429 or 503, or 403, 407, 411 or 412 with a page that is no JSON',
          'refused',
          'no try is counted; with `Retry-After` the app is held for so long (an hour at most), without it five in a row suspend the app – pages only if they were for two people',
        ],
        [
          'The call broke or timed out after it was written, or what came back has no numeric `errcode`',
          'unsure',
          '`ifUnsure` decides: `resend` is a retry, `dead-letter` is dead as `unsure`. Whole answers that are not WeChat’s, five in a row for at least two people, suspend the app; from then on a `resend` loses no try',
        ],
      ],
    ),
  ].join('\n\n')}\n`
}

function actionCell(row: (typeof SEND_ERRCODES)[number]): string {
  return row.suspendAfterInARow === undefined
    ? row.action
    : `${row.action}; suspend at ${row.suspendAfterInARow} in a row`
}

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  return [line(head), `|${' --- |'.repeat(head.length)}`, ...rows.map(line)].join('\n')
}

function line(cells: readonly (string | number)[]): string {
  return `| ${cells.map(cell).join(' | ')} |`
}

function cell(value: string | number): string {
  return String(value).replaceAll('\\', '\\\\').replaceAll('|', '\\|')
}

if (import.meta.main) writeFileSync(DOCUMENT_URL, errcodesDocument())
