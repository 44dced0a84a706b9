/**
 * Makes `docs/configuration.md` out of the schemas that the processes read their environment with, so that the page
 * cannot say anything else than they do. `pnpm run docs` writes it, `pnpm check` fails while it is out of date.
 */
import { gatewayEnvSchema } from '@wechat-outbox/gateway'
import { PLAIN_ERRORS } from '@wechat-outbox/messages'
import { workerEnvSchema } from '@wechat-outbox/worker'
import type { z } from 'zod'

export const CONFIGURATION_URL = new URL('../docs/configuration.md', import.meta.url)

const INTRODUCTION = [
  '# Configuration',
  'Every process reads its environment once, at its start. If anything in it is wrong, all of it is listed on stderr, by name and without values, and the process exits 1. An empty variable counts as missing. This page is generated from the schemas in `apps/*/src/env.ts`; change them and run `pnpm run docs`.',
]

const AFTER = [
  '## Several Mini Programs',
  'One app stands in `WECHAT_APP_ID` and `WECHAT_APP_SECRET`. More stand in the JSON file that `WECHAT_APPS_FILE` names, or both together:',
  [
    '```json',
    '[',
    '  { "appid": "wx0000000000000001", "secret": "…" },',
    '  { "appid": "wx0000000000000002", "secret": "…", "concurrency": 8, "maxPerSecond": 50, "token": { "type": "classic" } }',
    ']',
    '```',
  ].join('\n'),
  '`concurrency` is `WORKER_CONCURRENCY` for this app, `maxPerSecond` a limit over all workers, `token` where access tokens come from: `stable` (default), `classic`, `http`, `file`, `static` or `none`, each with an example in [tokens.md](tokens.md). `secret` is needed for the first two only.',
  'On SIGHUP a worker reads the file again: apps are added, replaced and removed, and those that stay the same are not touched. The log says `apps.changed`, or `apps.refused` with every problem, and then everything stays as it was. `WORKER_APPS` and `WORKER_SHARD` divide the apps between workers; what that is good for, and what an app costs, stands in [many-apps.md](many-apps.md).',
  '`callback` is for the workers: `{"url": "https://…", "secret": "whsec_…", "events": ["message.dead", …]}`, the last of them optional, is to this app what `CALLBACK_URL` and `CALLBACK_SECRET` are to `WECHAT_APP_ID` ([callbacks.md](callbacks.md)).',
  '`push` is for the gateway alone: `{"token": "…", "aesKey": "…", "forwardUrl": "https://…"}`, the last two of them optional, is to this app what `PUSH_TOKEN`, `PUSH_AES_KEY` and `PUSH_FORWARD_URL` are to `WECHAT_APP_ID` ([reply-windows.md](reply-windows.md#wechats-own-push)). A gateway that reads the file needs no `secret` in it, so give it a copy without. It reads it again within seconds of a change and on SIGHUP, and logs `push-apps.loaded`, or `push-apps.refused` with every problem; then the apps of before stay.',
  '## API keys',
  '`wxo key new` prints a key, once, and its entry for the file that `GATEWAY_KEYS_FILE` names. The file holds hashes, so reading it lets nobody in:',
  [
    '```json',
    '[',
    '  { "id": "crm", "hash": "sha256:…" },',
    '  { "id": "shop", "hash": "sha256:…", "apps": ["wx0000000000000001"], "rights": ["send"], "messagesPerSecond": 200 },',
    '  { "id": "prometheus", "hash": "sha256:…", "rights": ["read"] }',
    ']',
    '```',
  ].join('\n'),
  'Without `apps` a key is for all apps, without `rights` it has all four: `send` (send and cancel messages), `read` (look at messages, dead letters and metrics), `replay` (replay and discard dead letters), `act` (report what users do). Log lines name a key by its `id`. The gateway reads the file again within seconds of a change and on SIGHUP. A file with a mistake in it is refused as a whole: the log names every problem (`keys.refused`), and the keys of before stay.',
  '`requestsPerSecond` and `messagesPerSecond` limit what a key may ask of a gateway and send through it; without them there is no limit. What one second allows may come at once. A batch counts with all its messages: it passes while anything of the limit is left, and the next one waits until it is made up for. What is refused is 429 `too-many-requests` with `Retry-After`, and errcode 45011 at `/cgi-bin`. Each gateway counts for itself: three of them let through three times as much.',
  'A caller sends its key as `Authorization: Bearer KEY`. `GATEWAY_API_KEYS` may stand beside the file; its keys have all rights and an id made of their hash. With neither, the gateway listens on loopback only, asks for no key, and still refuses what comes from a web page elsewhere or asks for a name that is not its own.',
  '`/healthz` and `/readyz` never ask for a key. `/metrics` asks for one with `read` for all apps, unless the gateway listens on loopback.',
]

export function configurationDocument(): string {
  const parts = [
    ...INTRODUCTION,
    '## Worker',
    table(workerEnvSchema.shape),
    '## Gateway',
    table(gatewayEnvSchema.shape),
    ...AFTER,
  ]
  return `${parts.join('\n\n')}\n`
}

function table(shape: Readonly<Record<string, z.ZodType>>): string {
  const rows = Object.entries(shape).map(([name, schema]) => {
    // A row without words would hide that somebody forgot to describe a variable.
    if (schema.description === undefined) throw new Error(`${name} has no description`)
    return [`\`${name}\``, defaultOf(schema), accepted(schema), schema.description]
  })
  return [line(['variable', 'default', 'value', 'meaning']), '| --- | --- | --- | --- |', ...rows.map(line)].join('\n')
}

function defaultOf(schema: z.ZodType): string {
  const whenMissing = schema.safeParse(undefined)
  if (!whenMissing.success) return '*required*'
  return whenMissing.data === undefined ? '–' : `\`${JSON.stringify(whenMissing.data).replaceAll('"', '')}\``
}

/** What the schema accepts, in the words with which it refuses: no setting takes a number as high as this one. */
function accepted(schema: z.ZodType): string {
  const refused = schema.safeParse('9'.repeat(15), PLAIN_ERRORS)
  return refused.success ? 'text' : (refused.error.issues[0]?.message ?? '').replace('must be ', '')
}

function line(cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}
