/**
 * Do the credentials with which the workers get tokens work? Those of the command's own environment are tried, as a worker does it, and
 * without force: that ends no token. Of an app whose credential is not here it is said that it was not tried, and what its workers have.
 */
import { type CredentialAnswer, type CredentialCheck, checkCredential, type Store } from '@wechat-outbox/outbox/engine'
import { tokenErrcode } from '@wechat-outbox/policy'
import { proxyOf, readListFile } from '@wechat-outbox/runtime'
import {
  type AppConfig,
  appsFileSchema,
  createTokenSource,
  createWechatClient,
  DEFAULT_TOKEN_SOURCE,
  type TokenAnswer,
  type TokenSourceConfig,
  type WechatClient,
} from '@wechat-outbox/wechat'
import type { CliEnv } from './env.ts'
import { failureOf } from './failure.ts'
import { tokenFailureText } from './findings.ts'
import type { Lang } from './lang.ts'
import type { AppStatus, Overview } from './overview.ts'
import { type Session, stored } from './session.ts'
import { showDuration } from './times.ts'

export interface CredentialFinding {
  readonly appid: string
  /** `unclear`: no answer that proves either. `not-checked`: `detail` says why. */
  readonly result: 'works' | 'refused' | 'unclear' | 'not-checked'
  readonly errcode?: number
  /** What was answered, or why nobody was asked. Neither a secret nor a token nor a URL. */
  readonly detail?: string
  /** The answer was given to the workers, or to another look, so long ago. */
  readonly msAgo?: number
  /** Nobody asks again before. */
  readonly againInMs?: number
  readonly askedBy?: 'doctor' | 'workers'
}

export interface CredentialFindings {
  readonly items: readonly CredentialFinding[]
  /** What is wrong with WECHAT_APPS_FILE. */
  readonly problems: readonly string[]
}

const TIMEOUT_MS = 3000
/** Asked at the same time. */
const AT_ONCE = 10
/** Asked by one command. */
const ASKED_MAX = 200

const NOT_HERE =
  'its secret is not in this environment (WECHAT_APP_ID and WECHAT_APP_SECRET, or WECHAT_APPS_FILE, as the worker has them)'

/** Why a source cannot be asked from here. */
const NOT_ASKED: Partial<Record<TokenSourceConfig['type'], string>> = {
  classic: 'the classic endpoint ends the workers’ token when it is asked',
  file: 'its token stands in a file on the workers’ machine',
  static: 'its token is a fixed value',
  none: 'it sends without a token',
}

export async function examineCredentials(
  session: Session,
  { apps }: Pick<Overview, 'apps'>,
  isReached: boolean,
): Promise<CredentialFindings> {
  const env = session.env()
  const { configured, problems } = readConfigured(env)
  const { WECHAT_API_BASE_URL: baseUrl, WECHAT_ALLOW_HTTP: allowHttp } = env
  const client = createWechatClient({
    baseUrl,
    allowHttp,
    connections: AT_ONCE,
    timeoutMs: TIMEOUT_MS,
    proxy: proxyOf(env),
  })
  const tools = { store: await session.store(), client, env, isReached }
  const appids = [...new Set([...apps.map(({ appid }) => appid), ...configured.map(({ appid }) => appid)])]
  const items: CredentialFinding[] = []
  try {
    for (let from = 0; from < appids.length; from += AT_ONCE) {
      const some = appids.slice(from, from + AT_ONCE).map(async (appid) => {
        const config = configured.find((one) => one.appid === appid)
        if (config === undefined) return notChecked(appid, NOT_HERE)
        return from < ASKED_MAX ? examine(tools, config) : notChecked(appid, `one look asks for ${ASKED_MAX} at most`)
      })
      items.push(...(await Promise.all(some)))
    }
  } finally {
    await client.close()
  }
  return { items, problems }
}

/** As the worker reads them, but an appid without a secret is no mistake here. */
function readConfigured(env: CliEnv): { configured: AppConfig[]; problems: string[] } {
  const { WECHAT_APP_ID: appid, WECHAT_APP_SECRET: secret, WECHAT_APPS_FILE: path } = env
  const { entries, problems } = readListFile({ variable: 'WECHAT_APPS_FILE', path, schema: appsFileSchema })
  const own = appid === undefined || secret === undefined ? [] : [{ appid, secret }]
  return { configured: [...own, ...entries], problems }
}

interface Tools {
  readonly store: Store
  readonly client: WechatClient
  readonly env: CliEnv
  readonly isReached: boolean
}

async function examine({ store, client, env, isReached }: Tools, config: AppConfig): Promise<CredentialFinding> {
  const { appid, secret, token = DEFAULT_TOKEN_SOURCE } = config
  const why = NOT_ASKED[token.type]
  if (why !== undefined) return notChecked(appid, why)
  if (token.type === 'stable' && !isReached) return notChecked(appid, 'WeChat does not answer')
  const source = createTokenSource(token, { appid, secret, client, timeoutMs: TIMEOUT_MS, proxy: proxyOf(env) })
  if (source.kind !== 'shared') return notChecked(appid, 'it has no source that can be asked')
  const ask = async (): Promise<CredentialAnswer> => answerOf(await source.fetch(false))
  try {
    return findingOf(appid, await stored(checkCredential(store, appid, ask)))
  } catch (error) {
    return notChecked(appid, failureOf(error).message)
  }
}

function answerOf(answer: TokenAnswer): CredentialAnswer {
  switch (answer.kind) {
    case 'token':
      return { kind: 'works' }
    case 'refused': {
      const { errcode, errmsg: detail } = answer
      // A quota, or a fault of WeChat's, says nothing about the credential.
      const kind = tokenErrcode(errcode)?.action === 'suspend' ? 'refused' : 'unclear'
      return { kind, errcode, detail }
    }
    case 'unreachable':
      return { kind: 'unclear', detail: answer.detail }
  }
}

function findingOf(appid: string, check: CredentialCheck): CredentialFinding {
  const { msAgo, againInMs } = check
  switch (check.kind) {
    case 'busy':
      return { appid, result: 'not-checked', detail: 'another command is asking', msAgo, againInMs }
    case 'workers-failed': {
      const { errcode } = check.failure
      const lasts = errcode !== undefined && tokenErrcode(errcode)?.action === 'suspend'
      return { appid, result: lasts ? 'refused' : 'unclear', ...check.failure, msAgo, againInMs, askedBy: 'workers' }
    }
    case 'answered': {
      const { kind, ...failure } = check.answer
      return { appid, result: kind, ...failure, msAgo, againInMs, askedBy: 'doctor' }
    }
  }
}

const notChecked = (appid: string, detail: string): CredentialFinding => ({ appid, result: 'not-checked', detail })

/** What has to be put right, in sentences. */
export function credentialProblems({ items, problems }: CredentialFindings, lang: Lang): string[] {
  const refused = items.filter((item) => item.result === 'refused' && !isKnown(item))
  return [
    ...problems.map((problem) => `${problem}: the worker would not start with it.`),
    ...refused.map((item) => `The credential of ${item.appid} does not work: ${said(item, lang)}.`),
  ]
}

export function credentialWarnings({ items }: CredentialFindings, lang: Lang): string[] {
  const unclear = items.filter((item) => item.result === 'unclear' && !isKnown(item))
  return unclear.map((item) => `Whether the credential of ${item.appid} works is not known: ${said(item, lang)}.`)
}

/** What the workers were told stands among the findings of `wxo status`, as a suspension or a token that they did not get. */
const isKnown = ({ askedBy }: CredentialFinding): boolean => askedBy === 'workers'

function said({ errcode, detail = '', msAgo = 0, againInMs = 0 }: CredentialFinding, lang: Lang): string {
  const text = tokenFailureText(errcode === undefined ? { detail } : { errcode, detail }, lang)
  const when = msAgo === 0 ? 'asked just now' : `asked ${showDuration(msAgo)} ago`
  return `${text}; ${when}, and not again for ${showDuration(againInMs)}`
}

/** One app in one line of the table. */
export function credentialText(item: CredentialFinding, app: AppStatus | undefined): string {
  const { appid, result, detail, msAgo = 0, askedBy } = item
  const who = askedBy === 'workers' ? 'a worker asked' : 'asked'
  const ago = msAgo === 0 ? '' : ` (${who} ${showDuration(msAgo)} ago)`
  if (result !== 'not-checked') return `${appid} ${result === 'unclear' ? 'unknown' : result}${ago}`
  return `${appid} not checked: ${detail}; ${tokenText(app)}`
}

function tokenText(app: AppStatus | undefined): string {
  const leftMs = app?.token?.leftMs ?? 0
  if (leftMs > 0) return `its workers have a token for ${showDuration(leftMs)} more`
  return app?.tokenFailure ? 'its workers got no token' : 'its workers have stored no token that serves'
}
