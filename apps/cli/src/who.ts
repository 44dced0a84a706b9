/** Who is at the terminal: kept with what they start or pause, so that others can ask them. */
import { hostname, userInfo } from 'node:os'

export function whoAmI(): string {
  return `${userInfo().username}@${hostname()}`
}
