/** Queries as WeChat's servers read them. */

/** Not URLSearchParams: it writes a space as `+`. Half a surrogate pair, which no encoder takes, becomes U+FFFD. */
export function queryString(parameters: Readonly<Record<string, string>>): string {
  return Object.entries(parameters)
    .map(([name, value]) => `${encodeURIComponent(name.toWellFormed())}=${encodeURIComponent(value.toWellFormed())}`)
    .join('&')
}
