/** Before anything is done: is something wrong, how much of it, whom does it concern, and is it the outbox's own fault? */
import assert from 'node:assert/strict'
import { until } from '../support/until.ts'
import { of } from './desk.ts'
import { EACH, NO_WORKER_APP, WRONG_SECRET_APP } from './scene.ts'
import type { Play, Step } from './step.ts'

export function lookSteps(play: Play): Step[] {
  return [alert(play), ...howMany(play), ...who(play), ...isItUs(play)]
}

const FIRING = 'ALERTS{alertname="WxoMassDeath",alertstate="firing",errcode="45015"}'

function alert({ scene: { prometheus, urls, dead } }: Play): Step {
  if (prometheus !== undefined) {
    return {
      task: 'the alert',
      command: 'docs/alerts.yml in Prometheus',
      async run() {
        const fires = async (): Promise<boolean> => (await prometheus.seriesOf(FIRING)) > 0
        await until('WxoMassDeath', fires, { timeoutMs: 30_000 })
        return 'WxoMassDeath fires for 45015'
      },
    }
  }
  return {
    task: 'the alert',
    command: 'GET /metrics of the worker',
    async run() {
      const text = await (await fetch(`${urls.worker}/metrics`)).text()
      const figures = [...text.matchAll(/^wxo_messages_total\{(.*outcome="dead".*)\} (\d+)$/gm)]
      const by = new Map(figures.map(([, labels = '', count]) => [/errcode="(\d+)"/.exec(labels)?.[1], Number(count)]))
      const all = [...by.values()].reduce((sum, count) => sum + count, 0)
      const of45015 = by.get('45015') ?? 0
      assert.equal(of45015, dead[45015])
      assert(of45015 > 20 && of45015 > 0.2 * all)
      return 'no Prometheus here: the counters are what WxoMassDeath asks for'
    },
  }
}

function howMany({ scene, desk }: Play): Step[] {
  const { dead, total } = scene
  const codes = Object.entries(dead)
  const found = codes.map(([code, count]) => `${count} × ${code}`).join(', ')
  return [
    {
      task: 'how many, and why',
      command: 'wxo dead count',
      async run() {
        const { stdout } = await desk.wxo(['dead', 'count'])
        for (const [code, count] of codes) assert.match(stdout, new RegExp(`^${count} +${code} +\\S`, 'm'))
        return `${found}, each with its reason`
      },
    },
    {
      task: '',
      command: 'GET …/dead-letters:count',
      async run() {
        const counted = await desk.count()
        assert.deepEqual([counted.total, ...codes.map(([code]) => of(counted, code))], [total, ...Object.values(dead)])
        return 'the same'
      },
    },
    {
      task: '',
      command: 'the page /dead-letters',
      async run() {
        const { html } = await desk.page('lang=en')
        for (const [code, count] of codes) {
          const row = new RegExp(`>${code}</a>.{0,300}?>${count.toLocaleString('en')}<`, 's')
          assert.match(html, row, `the page does not say ${count} × ${code}`)
        }
        return 'its first view says the same'
      },
    },
  ]
}

function who({ scene, desk, excluded }: Play): Step[] {
  return [
    {
      task: 'find a person',
      command: '/dead-letters, search by openid',
      async run() {
        const { html, url } = await desk.page(`q=${excluded}`)
        assert.equal(new URL(url).searchParams.get('touser'), excluded)
        assert.equal(html.match(/name="id"/g)?.length, EACH)
        return `${EACH} letters of that person, no other`
      },
    },
    {
      task: 'find a letter',
      command: '/dead-letters, search by d-… and m-…',
      async run() {
        const [id = ''] = (await desk.letters(`touser=${excluded}`)).keys()
        for (const q of [id, id.replace('d-', 'm-')]) {
          const { url } = await desk.page(`q=${q}`)
          assert.equal(new URL(url).pathname, `/dead-letters/letters/${id}`)
        }
        return 'the letter, by its id and its message’s'
      },
    },
    {
      task: 'who is affected',
      command: 'wxo dead count --by touser --errcode 40003',
      async run() {
        const { stdout } = await desk.wxo(['dead', 'count', '--by', 'touser', '--errcode', '40003', '--json'])
        const { counts } = JSON.parse(stdout) as { counts: { key: string }[] }
        assert.deepEqual(counts.map(({ key }) => key).toSorted(), scene.people.unknown)
        return `${scene.people.unknown.length} people`
      },
    },
  ]
}

function isItUs({ desk }: Play): Step[] {
  return [
    {
      task: 'is the secret right',
      command: 'wxo doctor',
      async run() {
        const { stdout } = await desk.wxo(['doctor'], { code: 1 })
        assert.match(stdout, new RegExp(`✗ .*${WRONG_SECRET_APP}.*40125`))
        return 'exit 1, names the app and 40125'
      },
    },
    {
      task: 'is a worker there',
      command: 'wxo status',
      async run() {
        const { stdout } = await desk.wxo(['status'])
        assert.match(stdout, new RegExp(`✗ No worker has ever served ${NO_WORKER_APP}, and 1 message waits`))
        return 'names the app without one, and what waits there'
      },
    },
  ]
}
