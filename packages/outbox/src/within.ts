/** A wait with an end: commands on a connection that waits for Redis have none of their own. */

/** What a promise resolves to, or `late` after `ms`. What it does afterwards, failing included, concerns nobody. */
export async function within<T, Late>(promise: Promise<T>, ms: number, late: Late): Promise<T | Late> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<Late>((resolve) => {
    timer = setTimeout(() => resolve(late), ms)
  })
  return Promise.race([promise, timeout]).finally(() => clearTimeout(timer))
}
