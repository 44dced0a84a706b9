/**
 * Types for a client of `/v1`, generated from the OpenAPI document as a user of it would. The tests call the gateway
 * through them, so that the type check covers what the document promises; `pnpm check` fails while they are out of date.
 */
import openapiTS, { astToString } from 'openapi-typescript'
import { openApiDocument } from '../src/v1/document.ts'

export const OPENAPI_TYPES_URL = new URL('../test/support/openapi.gen.ts', import.meta.url)

export async function openApiTypes(): Promise<string> {
  const made = astToString(await openapiTS(JSON.stringify(openApiDocument())))
  return `// Generated from the OpenAPI document by \`pnpm run docs\`.\n${made}`
}
