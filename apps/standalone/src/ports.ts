/** A port that is taken must not keep somebody from trying the sandbox: another one is used there, and printed. */
import { once } from 'node:events'
import { createServer } from 'node:net'

/** Whether nobody listens there. A moment later somebody may: see `onFreePort`. */
async function isFree(host: string, port: number): Promise<boolean> {
  if (port === 0) return true
  const server = createServer()
  try {
    server.listen({ host, port })
    await once(server, 'listening')
    server.close()
    await once(server, 'close')
    return true
  } catch (error) {
    if (isTaken(error)) return false
    throw error
  }
}

/** Starts a server on the wanted port or, if that is taken, on a free one. */
export async function onFreePort<T>(
  at: { host: string; port: number },
  start: (port: number) => Promise<T>,
): Promise<T> {
  if (!(await isFree(at.host, at.port))) return start(0)
  return start(at.port).catch((error: unknown) => {
    if (!isTaken(error)) throw error
    return start(0)
  })
}

export function isTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE'
}
