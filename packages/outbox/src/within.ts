/** A wait with an end: a command on a connection that waits for Redis has none of its own, nor has work that hangs. */

/**
 * What a promise resolves to, or `late` after `ms`. It rejects only if the promise does so in time: what that does
 * afterwards, failing included, concerns nobody.
 */
export async function within<T, Late>(promise: Promise<T>, ms: number, late: Late): Promise<T | Late> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<Late>((resolve) => {
    timer = setTimeout(() => resolve(late), ms)
  })
  return Promise.race([promise, timeout]).finally(() => clearTimeout(timer))
}
