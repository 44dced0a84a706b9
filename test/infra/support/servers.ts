/** One server, and what people put before it: other programs, a CA of their own, an access list. */
import { execFileSync } from 'node:child_process'
import { accessSync, constants, readFileSync } from 'node:fs'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { askRedis, freeLoopbackPort } from '@wechat-outbox/sandbox'
import { startServer, type Topology } from './topology.ts'

/** Where a program is that a variable names, or that stands on the PATH; undefined without either. */
export function findProgram(name: string, variable: string): string | undefined {
  const named = process.env[variable]
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter(Boolean)
  return [...(named === undefined ? [] : [named]), ...folders.map((folder) => join(folder, name))].find((file) => {
    try {
      accessSync(file, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** Another server than the one that is found first. */
export async function startOther(dir: string, program: string): Promise<Topology> {
  const searchPath = join(dir, 'bin')
  await mkdir(searchPath)
  await symlink(program, join(searchPath, 'redis-server'))
  const server = await startServer({ dir: join(dir, 'server'), searchPath })
  return { url: server.url, lookUrl: server.url, close: () => server.stop() }
}

/** TLS alone for the processes, with a certificate that a CA of our own has signed. */
export async function startTls(dir: string): Promise<Topology> {
  const file = (name: string): string => join(dir, name)
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'ignore' })
  const key = (name: string) => ['-newkey', 'rsa:2048', '-nodes', '-keyout', file(`${name}.key`)]
  openssl('req', '-x509', ...key('ca'), '-days', '2', '-subj', '/CN=our own CA', '-out', file('ca.crt'))
  openssl('req', ...key('redis'), '-subj', '/CN=redis', '-out', file('redis.csr'))
  await writeFile(file('names'), 'subjectAltName=IP:127.0.0.1\n')
  const signed = ['-CA', file('ca.crt'), '-CAkey', file('ca.key'), '-CAcreateserial', '-extfile', file('names')]
  openssl('x509', '-req', '-in', file('redis.csr'), ...signed, '-days', '2', '-out', file('redis.crt'))
  const port = await freeLoopbackPort()
  const server = await startServer({
    dir: file('server'),
    args: [
      ...['--tls-port', String(port), '--tls-auth-clients', 'no', '--tls-ca-cert-file', file('ca.crt')],
      ...['--tls-cert-file', file('redis.crt'), '--tls-key-file', file('redis.key')],
    ],
  })
  return {
    url: `rediss://127.0.0.1:${port}`,
    lookUrl: server.url,
    env: { NODE_EXTRA_CA_CERTS: file('ca.crt') },
    close: () => server.stop(),
  }
}

const DOCUMENTED = join(import.meta.dirname, '../../../docs/redis.md')

/** The user of docs/redis.md, with the rights that stand there and no others. */
export async function startWithAccessList(dir: string): Promise<Topology> {
  const server = await startServer({ dir })
  const [line = ''] = readFileSync(DOCUMENTED, 'utf8').match(/^ACL SETUSER .*$/m) ?? []
  const reply = await askRedis(server.port, line.replace('>PASSWORD', '>pw'))
  if (reply !== '+OK') throw new Error(`the line of docs/redis.md is refused: ${reply}`)
  const url = server.url.replace('redis://', 'redis://outbox:pw@')
  return { url, lookUrl: server.url, close: () => server.stop() }
}
