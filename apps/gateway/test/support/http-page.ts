/** Reads pages and sends forms as a browser without JavaScript does, and remembers nothing. */
import { DEAD_LETTERS_PATH } from '../../src/dead-letters-page/links.ts'
import { type Answer, ask, type TestGateway } from './world.ts'

export const PAGE = DEAD_LETTERS_PATH

type Fields = Readonly<Record<string, string | readonly string[]>>

export const encoded = (fields: Fields): string =>
  new URLSearchParams(
    Object.entries(fields).flatMap(([name, value]) => [value].flat().map((one): [string, string] => [name, one])),
  ).toString()

/** Sends a form as a browser does from a page of the same gateway. */
export function submit(
  { port }: TestGateway,
  path: string,
  fields: Fields,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const own = { origin: `http://127.0.0.1:${port}`, 'content-type': 'application/x-www-form-urlencoded' }
  return ask(port, `POST ${path}`, { headers: { ...own, ...headers }, body: encoded(fields) })
}

/** The fields of a page's form, as they stand there. */
export function fieldsOf(page: string, action: string): Record<string, string | string[]> {
  const form = page.split('<form ').find((part) => part.includes(`action="${action}"`)) ?? ''
  const fields: Record<string, string | string[]> = {}
  for (const [, name = '', value = ''] of form.matchAll(/<input [^>]*?name="([^"]*)"[^>]*? value="([^"]*)"/g)) {
    const before = fields[name]
    fields[name] = before === undefined ? value : [...[before].flat(), value]
  }
  return fields
}
