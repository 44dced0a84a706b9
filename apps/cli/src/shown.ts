/** How many of what they list the commands show. */

const SHOWN_DEFAULT = 50
/** What one list holds in memory. */
export const SHOWN_MAX = 100_000

/** `limit`: as given, or undefined. */
export function shownMax(limit: number | undefined, all: boolean | undefined): number {
  return limit ?? (all === true ? SHOWN_MAX : SHOWN_DEFAULT)
}
