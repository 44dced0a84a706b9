/**
 * The files of Bull Board, Swagger UI and our own pages, served from memory. Both packages open a file for each request, and hold it open as long
 * as a client takes its time with the answer: a few hundred slow clients use up the descriptors of a process.
 */
import { hash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import mime from 'mime'
import { NOT_FOUND, sendProblem } from './problem.ts'

interface StaticFile {
  readonly body: Buffer
  readonly type: string
  readonly etag: string
}

/** Takes the place of the handler that is about to be registered at `url`, which ends in `/*`, with the files below `dir`, some megabytes. */
export function serveFromMemory(app: FastifyInstance, url: string, dir: string): void {
  const files = readFiles(dir)
  app.addHook('onRoute', (route) => {
    if (route.url !== url) return
    route.handler = (request: FastifyRequest, reply: FastifyReply) => {
      const file = files.get((request.params as { readonly '*': string })['*'])
      return file === undefined ? sendProblem(reply, NOT_FOUND) : sendFile(reply, file)
    }
  })
}

/** Registers one file under an address of its own. */
export function serveFile(app: FastifyInstance, url: string, path: string): void {
  const file = readFile(path)
  app.get(url, (_request, reply) => sendFile(reply, file))
}

function sendFile(reply: FastifyReply, file: StaticFile): FastifyReply {
  reply.header('cache-control', 'public, max-age=0').header('etag', file.etag)
  if (reply.request.headers['if-none-match'] === file.etag) return reply.code(304).send()
  return reply.type(file.type).send(file.body)
}

function readFiles(dir: string): ReadonlyMap<string, StaticFile> {
  const entries = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return new Map(
    entries.map(({ parentPath, name }) => {
      const path = join(parentPath, name)
      return [path.slice(dir.length).split(sep).filter(Boolean).join('/'), readFile(path)]
    }),
  )
}

function readFile(path: string): StaticFile {
  const body = readFileSync(path)
  const type = mime.getType(path) ?? 'application/octet-stream'
  return { body, type: withCharset(type), etag: `"${hash('sha256', body, 'base64url').slice(0, 22)}"` }
}

const withCharset = (type: string): string =>
  /^text\/|javascript|json|svg/.test(type) ? `${type}; charset=utf-8` : type
