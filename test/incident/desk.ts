/** What an operator has at hand: the command line, the API and the page; and what the fake WeChat knows of it all. */
import assert from 'node:assert/strict'
import type { SendEntry } from '@wechat-outbox/fake-wechat'
import type { DeadLetterPage, LetterCounts, ListedDeadLetter, Task } from '@wechat-outbox/outbox/engine'
import type { CliOptions, CliResult } from '../../apps/cli/test/world.ts'
import { APP, type Scene } from './scene.ts'

/** Runs `wxo`, as a process of its own or in this one. */
export type RunWxo = (args: readonly string[], options: CliOptions) => Promise<CliResult>

export interface Desk {
  /** @throws where the exit code is not the expected one */
  wxo(args: readonly string[], options?: { readonly input?: string; readonly code?: number }): Promise<CliResult>
  /** The API of the incident's app: `GET dead-letters:count`. @throws where it does not answer with 2xx */
  api<T>(call: string): Promise<T>
  /** A page, and where it came from after redirections. */
  page(query: string): Promise<{ readonly html: string; readonly url: string }>
  count(query?: string): Promise<LetterCounts>
  task(id: string): Promise<Task>
  /** All of a filter, by id. */
  letters(query: string): Promise<Map<string, ListedDeadLetter>>
  /** Calls at the fake WeChat that came after this one, `seq`. */
  sendsAfter(seq: number): Promise<SendEntry[]>
}

const FOLLOWED_MS_MAX = 300_000

export function openDesk({ system, urls, environment }: Scene, runWxo: RunWxo): Desk {
  const api = async <T>(call: string): Promise<T> => {
    const [method, path] = call.split(' ')
    const answer = await fetch(`${urls.gateway}/v1/apps/${APP}/${path}`, { method: method ?? 'GET' })
    const body = await answer.text()
    assert(answer.ok, `${call}: ${answer.status} ${body}`)
    return JSON.parse(body) as T
  }
  return {
    api,
    async wxo(args, { input, code = 0 } = {}) {
      const given = input === undefined ? {} : { input }
      const result = await runWxo(args, { env: environment, timeoutMs: FOLLOWED_MS_MAX, ...given })
      assert.equal(result.code, code, `wxo ${args.join(' ')}: ${result.stdout}${result.stderr}`)
      return result
    },
    async page(query) {
      const answer = await fetch(`${urls.gateway}/dead-letters?app=${APP}&${query}`)
      assert(answer.ok, `/dead-letters?${query}: ${answer.status}`)
      return { html: await answer.text(), url: answer.url }
    },
    count: (query = '') => api(`GET dead-letters:count?${query}`),
    task: (id) => api(`GET tasks/${id}`),
    async letters(query) {
      const found = new Map<string, ListedDeadLetter>()
      for (let cursor: string | null = ''; cursor !== null; ) {
        const at: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`
        const page: DeadLetterPage = await api(`GET dead-letters?limit=200&${query}${at}`)
        for (const letter of page.items) found.set(letter.id, letter)
        cursor = page.next
      }
      return found
    },
    sendsAfter: async (seq) => (await system.fake.sends()).filter((send) => send.seq > seq),
  }
}

/** How many a count, in either form, has of a code. */
export const of = ({ counts }: LetterCounts, errcode: string): number =>
  counts.find(({ key }) => key === errcode)?.count ?? 0

export const textOf = ({ rawBody }: Pick<SendEntry, 'rawBody'>): string =>
  (JSON.parse(rawBody) as { text: { content: string } }).text.content
