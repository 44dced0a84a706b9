/** Who is written to, in which order and by whom: made from the seed alone, before anything runs. */
import { createRandom, type Random } from './random.ts'

export interface PlannedMessage {
  /** `recipient#number`: the number is the place among this recipient's messages. Also the text and the key. */
  readonly key: string
  readonly touser: string
  readonly ifUnsure?: 'dead-letter'
  /** Its producer takes it back once it is acknowledged; often that comes too late. */
  readonly cancel?: true
  /** It may wait for its user, who has to write before WeChat takes it. */
  readonly hold?: true
}

/** Calls made at the same moment, in this order, once the recipient's burst before is acknowledged. */
export type Burst = readonly PlannedMessage[]

export interface ProducerPlan {
  readonly name: string
  readonly bursts: readonly Burst[]
}

export interface Plan {
  readonly producers: readonly ProducerPlan[]
  readonly messages: ReadonlyMap<string, PlannedMessage>
}

export interface PlanSize {
  readonly messages: number
  /** Messages of the one recipient who gets most. */
  readonly hot: number
  readonly producers: number
  /** A third of the people, the one who gets most aside, has reply windows. */
  readonly windows?: boolean
}

const PER_SINGLE = 10
const BURST = 5
const BURSTS = 4
const CANCEL_SHARE = 0.01

/** A recipient belongs to one producer, because only one Outbox's calls have an order. */
export function makePlan(seed: number, size: PlanSize): Plan {
  const random = createRandom(seed)
  const recipients = [
    recipient({ touser: 'o-hot', sizes: hotSizes(size.hot, random), unsure: false, hold: false }, random),
  ]
  let planned = size.hot
  for (let number = 1; planned < size.messages; number += 1) {
    const kind = number % 2 === 0 ? 'burst' : 'single'
    const sizes = kind === 'burst' ? Array<number>(BURSTS).fill(BURST) : Array<number>(PER_SINGLE).fill(1)
    const unsure = number % 4 === 1 || number % 4 === 2
    const hold = size.windows === true && number % 3 === 0
    recipients.push(recipient({ touser: `o-${kind}-${number}`, sizes, unsure, hold }, random))
    planned += sizes.reduce((sum, count) => sum + count, 0)
  }
  const producers = Array.from({ length: size.producers }, (_, index) => ({
    name: `producer-${index + 1}`,
    bursts: interleave(
      recipients.filter((_bursts, at) => at % size.producers === index),
      random,
    ),
  }))
  return { producers, messages: new Map(recipients.flat(2).map((message) => [message.key, message])) }
}

function recipient(at: { touser: string; sizes: number[]; unsure: boolean; hold: boolean }, random: Random): Burst[] {
  let number = 0
  return at.sizes.map((count) =>
    Array.from({ length: count }, () => {
      number += 1
      return {
        key: `${at.touser}#${number}`,
        touser: at.touser,
        ...(at.unsure ? { ifUnsure: 'dead-letter' as const } : {}),
        ...(at.hold ? { hold: true as const } : {}),
        ...(random.next() < CANCEL_SHARE ? { cancel: true as const } : {}),
      }
    }),
  )
}

function hotSizes(count: number, random: Random): number[] {
  const sizes: number[] = []
  for (let left = count; left > 0; ) {
    const next = Math.min(left, random.between(1, 20))
    sizes.push(next)
    left -= next
  }
  return sizes
}

/** Each recipient's bursts keep their order and are spread over the whole. */
function interleave(recipients: readonly (readonly Burst[])[], random: Random): Burst[] {
  const placed = recipients.flatMap((bursts) => {
    const width = Math.max(0.3, bursts.length > BURSTS * BURST ? 1 : 0.3)
    const start = random.next() * (1 - width)
    return bursts.map((burst, at) => ({ burst, place: start + (width * (at + random.next())) / bursts.length }))
  })
  return placed.toSorted((a, b) => a.place - b.place).map(({ burst }) => burst)
}
