/** What remains is cleared up, and the whole is judged: by what the fake WeChat has got, and by the traces that were left. */
import assert from 'node:assert/strict'
import type { Task } from '@wechat-outbox/outbox/engine'
import { whoAmI } from '../../apps/cli/src/who.ts'
import { of, textOf } from './desk.ts'
import { contentOf, EACH, halfOf } from './scene.ts'
import { carryOut, type Play, type Step } from './step.ts'

export function endSteps(play: Play): Step[] {
  return [discard(play), traces(play), order(play), exclusion(play)]
}

function discard(play: Play): Step {
  const { scene, desk } = play
  return {
    task: 'discard what can never be delivered',
    command: 'wxo dead discard --errcode 40003 --yes',
    async run() {
      const before = await desk.count()
      const { done } = await carryOut(play, ['dead', 'discard', '--errcode', '40003'])
      assert.equal(done, scene.dead[40003])
      const now = await desk.count()
      assert.deepEqual([of(now, '40003'), now.total], [0, before.total - done])
      return `${done} are gone, nothing else`
    },
  }
}

function traces({ desk, tasks, logged }: Play): Step {
  return {
    task: 'who did it',
    command: 'wxo task ls, the worker’s log',
    async run() {
      const me = whoAmI()
      const { items } = JSON.parse((await desk.wxo(['task', 'ls', '--json'])).stdout) as { items: Task[] }
      assert.deepEqual(
        items.map(({ id, by }) => ({ id, by })),
        tasks.toReversed().map((id) => ({ id, by: me })),
      )
      for (const line of await Promise.all(logged)) assert.equal((JSON.parse(line) as { by?: string }).by, me)
      return `${tasks.length} tasks, each with user@host in the list and the log`
    },
  }
}

function order({ scene, excluded, desk, seq }: Play): Step {
  return {
    task: 'each person’s order',
    command: 'the fake WeChat',
    async run() {
      const taken = (await desk.sendsAfter(seq)).filter(({ accepted }) => accepted)
      const got = Map.groupBy(taken, ({ touser }) => touser)
      const all = Array.from({ length: EACH }, (_, n) => n + 1)
      const { earlier, recent, usedUp } = scene.people
      const due = [...earlier, ...recent.filter((openid) => openid !== excluded), ...halfOf(usedUp)]
      for (const openid of due) {
        const contents = (got.get(openid) ?? []).map(textOf)
        assert.deepEqual(
          contents,
          all.map((n) => contentOf(openid, n)),
          `the order of ${openid}`,
        )
      }
      assert.equal(got.size, due.length, 'somebody else got a message')
      return `${got.size} people got all their messages once, in the order of acceptance`
    },
  }
}

function exclusion({ scene, excluded, desk, seq }: Play): Step {
  return {
    task: 'person X got nothing',
    command: 'the fake WeChat',
    async run() {
      const tried = (await desk.sendsAfter(seq)).filter(({ touser }) => touser === excluded)
      assert.equal(tried.length, 0)
      const { total, counts } = await desk.count()
      const left = of({ total, counts, others: 0 }, '45015')
      assert.equal(left, EACH)
      assert.equal((await desk.letters(`touser=${excluded}`)).size, EACH)
      assert.equal((await scene.system.fake.summary()).doubles, 0)
      return `no call for X, whose ${EACH} letters are the last of 45015; no message came twice`
    },
  }
}
