/**
 * Sends the samples and sees each of them to its end, in four acts: everything that needs one try of its own; a message that waits
 * until the person has written again; a message after the access token has died; a dead letter, replayed after the person has
 * written again.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type FakeControl, type FakeWechat, SANDBOX_APP_ID } from '@wechat-outbox/fake-wechat'
import type { StatusReport } from '@wechat-outbox/messages'
import { type Outbox } from '@wechat-outbox/outbox'
import { readDeadLetter, requestReplay, type Store } from '@wechat-outbox/outbox/engine'
import { SAMPLES, type Sample } from './samples.ts'

export interface SamplesContext {
  readonly fake: FakeWechat
  readonly outbox: Outbox
  readonly store: Store
  readonly signal: AbortSignal
  /** After this the run goes on with what it has. */
  readonly limitMs: number
}

/** One message of the run, as the outbox reports it. `report` is null if the outbox does not know it. */
export interface SampleEnd {
  readonly name: string
  readonly report: StatusReport | null
  /** Of a dead letter: `reply-window-closed`. */
  readonly reason?: string
}

export interface SamplesRun {
  readonly ends: readonly SampleEnd[]
  /** Whom the run wrote to: the same Redis and the same fake may hold others' messages. */
  readonly openids: ReadonlySet<string>
  /** How many token calls the ledger held when the token died. */
  readonly tokenCallsBefore: number
  /** The ledger's newest send when the replay was asked for. */
  readonly seqBeforeReplay: number
}

interface Sent {
  readonly sample: Sample
  readonly openid: string
  readonly id: string
}

const POLL_MS = 50

export async function runSamples(context: SamplesContext): Promise<SamplesRun> {
  const { fake, outbox, store } = context
  const until = performance.now() + context.limitMs
  // New people at every start, so that nothing of an earlier one stands in their way.
  const suffix = randomBytes(4).toString('hex')
  const send = async (samples: readonly Sample[]): Promise<Sent[]> => {
    const people = samples.map((sample) => ({ sample, openid: `o${sample.to}_${suffix}` }))
    for (const { sample, openid } of people) arrange(fake.control, sample, openid)
    const sent = people.map(async (person) => {
      const { id } = await outbox.send({ ...person.sample.content, touser: person.openid })
      return { ...person, id }
    })
    return Promise.all(sent)
  }
  const ended = async (sent: readonly Sent[]): Promise<readonly Sent[]> => {
    await untilAll(context, { ids: sent.map(({ id }) => id), until, is: hasEnded })
    return sent
  }

  const having = (wanted: readonly string[]): Sample[] =>
    SAMPLES.filter(({ circumstance }) => wanted.includes(circumstance))
  const others = SAMPLES.filter(({ circumstance }) => !['token-dead', 'waits-for-user'].includes(circumstance))
  const waiting = await send(having(['waits-for-user']))
  const first = await ended(await send(others))
  await untilAll(context, { ids: waiting.map(({ id }) => id), until, is: waitsForUser })
  for (const { openid } of waiting) {
    await fake.control.push(openid, 'message')
  }
  await ended(waiting)
  const reasons = new Map(await Promise.all(first.map(async ({ id }) => [id, await reasonOf(context, id)] as const)))
  const tokenCallsBefore = fake.ledger.tokenCalls().length
  const later = await ended(await send(having(['token-dead'])))

  const seqBeforeReplay = fake.ledger.sendCount()
  const replays = new Map<string, string>()
  for (const { openid, id } of first.filter(({ sample }) => sample.replay)) {
    const deadLetter = (await outbox.status(id))?.deadLetter
    if (deadLetter === undefined) continue
    await fake.control.push(openid, 'message')
    const replay = await requestReplay(store, SANDBOX_APP_ID, deadLetter)
    if (replay.kind === 'requested') replays.set(id, replay.id)
  }
  await untilAll(context, { ids: [...replays.values()], until, is: hasEnded })

  const messages = [...first, ...waiting, ...later].flatMap(({ sample: { name }, id }) => {
    const replayId = replays.get(id)
    return replayId === undefined
      ? [{ name, id }]
      : [
          { name, id },
          { name: '  replayed, now open', id: replayId },
        ]
  })
  const ends = messages.map(async ({ name, id }): Promise<SampleEnd> => {
    const reason = reasons.get(id)
    return { name, report: await outbox.status(id), ...(reason === undefined ? {} : { reason }) }
  })
  const openids = new Set([...first, ...waiting, ...later].map(({ openid }) => openid))
  return { ends: await Promise.all(ends), openids, tokenCallsBefore, seqBeforeReplay }
}

/** The fake's windows are strict: who was never mentioned has not written, and gets nothing. */
function arrange(control: FakeControl, { circumstance }: Sample, openid: string): void {
  switch (circumstance) {
    case 'open':
      return control.user(openid, 'message')
    case 'busy-once':
      control.user(openid, 'message')
      return void control.addFault({ touser: openid, times: 1, fault: { name: 'errcode', errcode: -1 } })
    case 'window-closed':
    case 'waits-for-user':
      return control.user(openid, 'close')
    case 'count-used-up':
      return control.user(openid, 'exhaust')
    case 'unknown-openid':
      return control.user(openid, 'unknown')
    case 'token-dead':
      control.user(openid, 'message')
      return control.invalidateTokens({ appid: SANDBOX_APP_ID })
  }
}

async function untilAll(
  { outbox, signal }: SamplesContext,
  at: { ids: readonly string[]; until: number; is: (report: StatusReport | null) => boolean },
): Promise<void> {
  let open = at.ids
  while (performance.now() < at.until) {
    const reports = await Promise.all(open.map((id) => outbox.status(id)))
    open = open.filter((_, position) => !at.is(reports[position] ?? null))
    if (open.length === 0) return
    await sleep(POLL_MS, undefined, { signal })
  }
}

/** A message is dead a moment before its dead letter is there, and unknown a moment before a replay is carried out. */
function hasEnded(report: StatusReport | null): boolean {
  if (report === null) return false
  return report.status === 'dead' ? report.deadLetter !== undefined : report.settledAt !== undefined
}

const waitsForUser = (report: StatusReport | null): boolean => report?.status === 'waiting-for-user'

async function reasonOf({ outbox, store }: SamplesContext, id: string): Promise<string | undefined> {
  const deadLetter = (await outbox.status(id))?.deadLetter
  const letter = deadLetter === undefined ? null : await readDeadLetter(store, SANDBOX_APP_ID, deadLetter)
  return letter?.reason.name
}
