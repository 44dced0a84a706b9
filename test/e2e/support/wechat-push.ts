/**
 * WeChat’s own message push, to a gateway that is killed and started again meanwhile: it waits five seconds for an answer, and pushes three
 * times in all until it is answered 200.
 */
import { createHash } from 'node:crypto'
import type { StartedProcess } from '@wechat-outbox/sandbox'
import { APP, type System } from './system.ts'
import type { Told } from './windows-run.ts'

const TOKEN = 'onlyForThisTest4711'
const ANSWER_MS_MAX = 5000
const TRIES = 3
const AGAIN_MS = 1000

export interface PushedGateway {
  /** Resolves when WeChat has been answered, or has given up. */
  readonly push: (told: Told) => Promise<void>
  /** kill -9, and another one at the same address as soon as it can be there. */
  kill9(): Promise<void>
  /** How often a push came to nothing: a try, not a push that was given up. */
  failed(): number
}

export async function startPushedGateway(system: System): Promise<PushedGateway> {
  const url = await system.gateway({ PUSH_TOKEN: TOKEN })
  let running = takeGateway(system)
  let failed = 0
  return {
    failed: () => failed,
    push: async (told) => {
      for (let tries = 1; ; tries += 1) {
        if (await isAnswered(url, told)) return
        failed += 1
        if (tries === TRIES) return
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
      }
    },
    async kill9() {
      await running.kill9()
      await system.gateway({ PUSH_TOKEN: TOKEN, GATEWAY_PORT: new URL(url).port })
      running = takeGateway(system)
    },
  }
}

/** The one that was started last; it is none of the workers that a test kills. */
function takeGateway({ workers }: System): StartedProcess {
  const gateway = workers.pop()
  if (gateway === undefined) throw new Error('no gateway was started')
  return gateway
}

/** The request as WeChat makes it in plain mode; its times are whole seconds. */
async function isAnswered(url: string, { touser, id, at }: Told): Promise<boolean> {
  const timestamp = String(Math.floor(Date.now() / 1000))
  const signature = createHash('sha1').update([TOKEN, timestamp, '1'].toSorted().join('')).digest('hex')
  const query = new URLSearchParams({ signature, timestamp, nonce: '1' }).toString()
  const body = `<xml><FromUserName>${touser}</FromUserName><CreateTime>${Math.floor(at / 1000)}</CreateTime><MsgType>text</MsgType><MsgId>${id}</MsgId></xml>`
  try {
    const answer = await fetch(`${url}/v1/apps/${APP}/push?${query}`, {
      method: 'POST',
      headers: { 'content-type': 'text/xml' },
      body,
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
    })
    return answer.status === 200 && (await answer.text()) === 'success'
  } catch {
    return false
  }
}
