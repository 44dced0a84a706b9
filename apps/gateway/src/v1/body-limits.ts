/**
 * Bodies that are being read or worked on are in memory, several times over while they are parsed. What they take together is bounded, and what
 * those of one key take.
 */
import type { onRequestHookHandler } from 'fastify'
import { type Problem, sendProblem } from '../problem.ts'
import { createShares } from '../shares.ts'

const MEBIBYTE = 1_048_576
const BYTES_MAX = 128 * MEBIBYTE
/** Two of the largest batches, or a hundred of the usual ones. */
const BYTES_OF_KEY_MAX = 32 * MEBIBYTE

/** Makes hooks for routes whose body has so many bytes at most. They come after the one that knows the caller. */
export function createBodyLimits(): (bytesMax: number) => onRequestHookHandler {
  const bodies = createShares({ total: BYTES_MAX, each: BYTES_OF_KEY_MAX })
  return (bytesMax) => (request, reply, done) => {
    // One that does not say how long it is may become as long as is allowed.
    const bytes = Math.min(Number(request.headers['content-length'] ?? bytesMax), bytesMax)
    const giveBack = bodies.take(bytes, [request.caller?.id ?? ''])
    if (giveBack === null) return void sendProblem(reply, TOO_MUCH)
    reply.raw.once('close', giveBack)
    done()
  }
}

const TOO_MUCH: Problem = {
  status: 429,
  code: 'too-many-requests',
  detail: `The bodies of requests in progress may have ${BYTES_OF_KEY_MAX / MEBIBYTE} MiB for a key and ${BYTES_MAX / MEBIBYTE} MiB in all. Repeat it in a moment.`,
}
