/** The files that our pages load: the style, the icon, and htmx as its package has it. They are no secret, and `/` needs them without a sign-in. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FastifyInstance } from 'fastify'
import { serveFile } from '../static-files.ts'

export const STYLE_PATH = '/assets/page.css'
export const ICON_PATH = '/assets/icon.svg'
export const HTMX_PATH = '/assets/htmx.min.js'

export function addAssets(app: FastifyInstance): void {
  serveFile(app, STYLE_PATH, join(import.meta.dirname, 'page.css'))
  serveFile(app, ICON_PATH, join(import.meta.dirname, 'icon.svg'))
  serveFile(app, HTMX_PATH, join(fileURLToPath(import.meta.resolve('htmx.org')), '../htmx.min.js'))
}
