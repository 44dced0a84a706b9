/** The messages go out: some, tried first without doing it, cancelled on the way and taken back; then all that can. */
import assert from 'node:assert/strict'
import type { ListedDeadLetter, Task } from '@wechat-outbox/outbox/engine'
import { until } from '../support/until.ts'
import { of, textOf } from './desk.ts'
import { EACH, halfOf } from './scene.ts'
import { carryOut, type Play, type Step, start } from './step.ts'

export function replaySteps(play: Play): Step[] {
  return [...half(play), again(play), byIds(play), byWindow(play)]
}

/** How long WeChat takes for an answer while the operator changes their mind. */
const SLOW_MS = 3000
/** The part of the letters that has been replayed by then. */
const SHARE = 0.25
/** Rates by which a task takes so many seconds, whatever the scale: one that is cancelled, and one that is watched. */
const CANCELLED_S = 10
const WATCHED_S = 4

/** `since` takes times of any form; an operator would write 2h. */
const filterOf = ({ scene, excluded }: Play): string[] => [
  ...['--errcode', '45015'],
  ...['--since', scene.since],
  ...['--not-to', excluded],
]

const SHOWN_FILTER = '--errcode 45015 --since … --not-to X'

/** Of the people of the last two hours, without the excluded one. */
const recentOf = ({ scene }: Play): number => (scene.people.recent.length - 1) * EACH

const rateOf = (play: Play, seconds: number): string => String(Math.ceil(recentOf(play) / seconds))

const deliveredBy = async ({ scene }: Play): Promise<number> => (await scene.system.fake.summary()).accepted

function untilDelivered(play: Play, count: number): Promise<void> {
  return until(`${count} messages at the fake WeChat`, async () => (await deliveredBy(play)) === count, {
    everyMs: 250,
  })
}

function half(play: Play): Step[] {
  const { scene, desk } = play
  const { fake } = scene.system
  let before = new Map<string, ListedDeadLetter>()
  let task: Task | undefined
  const started = (): Task => task ?? assert.fail('no task was started')
  return [
    {
      task: 'what would a replay do: 45015 of the last two hours, not person X',
      command: `wxo dead replay ${SHOWN_FILTER} --dry-run`,
      async run() {
        const { stdout } = await desk.wxo(['dead', 'replay', ...filterOf(play), '--dry-run'])
        assert.match(stdout, new RegExp(`^Would replay ${recentOf(play)} dead letters of .*nothing was done`, 'm'))
        assert.equal((await desk.count()).total, scene.total)
        return `${recentOf(play)} letters; nothing changes`
      },
    },
    {
      task: 'replay them; WeChat is slow',
      command: `wxo dead replay ${SHOWN_FILTER} --per-second ${rateOf(play, CANCELLED_S)} --yes --detach`,
      async run() {
        before = await desk.letters(`errcode=45015&since=${encodeURIComponent(scene.since)}&notTouser=${play.excluded}`)
        assert.equal(before.size, recentOf(play))
        await fake.fault({ fault: { name: 'latency', minMs: SLOW_MS, maxMs: SLOW_MS } })
        const perSecond = rateOf(play, CANCELLED_S)
        const { id } = await start(play, ['dead', 'replay', ...filterOf(play), '--per-second', perSecond])
        const isOnItsWay = async (): Promise<boolean> => {
          task = await desk.task(id)
          return task.done >= recentOf(play) * SHARE && (await deliveredBy(play)) > 0
        }
        await until('a task on its way', isOnItsWay)
        return `${started().done} of ${started().total} replayed after this time`
      },
    },
    {
      task: 'cancel on the way',
      command: 'DELETE …/tasks/r-…',
      async run() {
        const { status, done, total } = await desk.api<Task>(`DELETE tasks/${started().id}`)
        assert.equal(status, 'cancelled')
        assert(done < (total ?? 0), 'it had ended before')
        task = { ...started(), done }
        return `cancelled at ${done} of ${total}`
      },
    },
    {
      task: 'take back',
      command: 'wxo task cancel r-… --take-back',
      async run() {
        const { done, takenBack } = await takeBack(play, task?.id ?? '')
        assert.equal(done, started().done, 'it went on after it was cancelled')
        assert(takenBack > 0, 'nothing was taken back')
        await untilDelivered(play, done - takenBack)
        return `${takenBack} of ${done} are letters again; ${await checkWhole(play, before)}`
      },
    },
  ]
}

async function takeBack({ scene, desk }: Play, id: string): Promise<Task> {
  try {
    return JSON.parse((await desk.wxo(['task', 'cancel', id, '--take-back', '--json'])).stdout) as Task
  } finally {
    await scene.system.fake.clearFaults()
  }
}

/** A letter is either what it was, or gone and delivered once. */
async function checkWhole({ desk, seq }: Play, before: ReadonlyMap<string, ListedDeadLetter>): Promise<string> {
  const now = await desk.letters('errcode=45015')
  const delivered = (await desk.sendsAfter(seq)).map(textOf)
  assert.equal(new Set(delivered).size, delivered.length, 'a message was sent twice')
  const got = new Set(delivered)
  for (const [id, letter] of before) {
    const { message } = letter as { message: { text?: { content: string } } }
    if (got.has(message.text?.content ?? '')) assert(!now.has(id), `${id} was delivered and is a letter`)
    else assert.deepEqual(now.get(id), letter)
  }
  return `none lost, doubled or changed, ${delivered.length} had gone out`
}

function again(play: Play): Step {
  const perSecond = rateOf(play, WATCHED_S)
  return {
    task: 'replay them to the end, with progress',
    command: `wxo dead replay ${SHOWN_FILTER} --per-second ${perSecond} --yes --detach; GET …/tasks/r-…`,
    async run() {
      const { id } = await start(play, ['dead', 'replay', ...filterOf(play), '--per-second', perSecond])
      const seen: Task[] = []
      await until('the end of the task', async () => {
        seen.push(await play.desk.task(id))
        return seen.at(-1)?.status === 'done'
      })
      const progress = seen.map(({ done }) => done)
      assert.deepEqual(
        progress.toSorted((a, b) => a - b),
        progress,
      )
      const { total, done, failed, skipped } = seen.at(-1) ?? assert.fail()
      assert.deepEqual({ done, failed, skipped }, { done: total, failed: 0, skipped: 0 })
      await untilDelivered(play, recentOf(play))
      return `${done} replayed, seen at ${new Set(progress).size} stages; all ${recentOf(play)} delivered`
    },
  }
}

function byIds(play: Play): Step {
  const { scene, desk } = play
  const count = scene.people.earlier.length * EACH
  return {
    task: `replay ${count} by their ids, newest first`,
    command: 'wxo dead replay - --yes',
    async run() {
      const letters = await desk.letters(`errcode=45015&notTouser=${play.excluded}`)
      assert.equal(letters.size, count)
      const { done, failed, skipped } = await carryOut(play, ['dead', 'replay', '-'], [...letters.keys()].join('\n'))
      assert.deepEqual({ done, failed, skipped }, { done: count, failed: 0, skipped: 0 })
      await untilDelivered(play, recentOf(play) + count)
      return `${count} from standard input, all delivered`
    },
  }
}

function byWindow(play: Play): Step {
  const { scene, desk } = play
  const open = halfOf(scene.people.usedUp).length * EACH
  const args = ['dead', 'replay', '--errcode', '45047', '--window', 'open']
  return {
    task: 'only those whose window has reopened',
    command: 'wxo dead replay --errcode 45047 --window open --yes',
    async run() {
      const before = await deliveredBy(play)
      const { done, failed, skipped } = await carryOut(play, args)
      assert.deepEqual({ done, failed, skipped }, { done: open, failed: 0, skipped: 0 })
      await untilDelivered(play, before + open)
      const left = of(await desk.count(), '45047')
      assert.equal(left, scene.dead[45047] - open)
      return `${open} delivered; ${left} of people who wrote nothing stay, untried`
    },
  }
}
