/**
 * WeChat's place in a benchmark: a process of its own that takes messages as fast as they come and counts them. The fake
 * WeChat of the sandbox has WeChat's manners and costs three times as much. Prints its URL.
 */
import type { AddressInfo } from 'node:net'
import { createHttp } from '../far-side/http.ts'
import { createJudge } from '../far-side/judge.ts'
import type { FarPlan } from '../far-side/plan.ts'

const TOKEN = JSON.stringify({ access_token: 'a-token-of-the-bench', expires_in: 7200 })
const answers = new Map<number, string>([
  [0, '{"errcode":0,"errmsg":"ok"}'],
  [-1, '{"errcode":-1,"errmsg":"system error"}'],
])
let judge = createJudge({ marksAt: [] })

const control: Record<string, (body: string) => unknown> = {
  '/_plan': (body) => void (judge = createJudge(JSON.parse(body) as FarPlan)),
  '/_watch': (body) => judge.meter.watch(JSON.parse(body) as number[]),
  '/_state': () => judge.state(),
  '/_arrivals': () => judge.arrivals,
}

const server = createHttp(({ path, body }, answer) => {
  if (path.startsWith('/cgi-bin/message/custom/send?')) {
    const { errcode, latencyMs } = judge.judge(body)
    if (errcode === undefined) return
    const json = answers.get(errcode) ?? JSON.stringify({ errcode, errmsg: 'as the bench wants it' })
    if (latencyMs === 0) answer(json)
    else setTimeout(answer, latencyMs, json)
  } else if (path.startsWith('/cgi-bin/')) answer(TOKEN)
  else answer(JSON.stringify(control[path]?.(body) ?? null))
})
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`far side at http://127.0.0.1:${(server.address() as AddressInfo).port}\n`)
})
process.once('SIGTERM', () => process.exit(0))
