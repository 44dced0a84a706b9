/** Environments and apps files for a worker, and what is wrong with them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ConfigError, type Environment } from '@wechat-outbox/runtime'
import { afterAll, beforeAll, expect } from 'vitest'
import { readWorkerConfig } from '../../src/index.ts'

export const SECRET = '5ecret0f0ne5ecret0f0ne5ecret0f0n'
export const ONE = { appid: 'wx0123456789abcdef', secret: SECRET }
export const TWO = { appid: 'wxfedcba9876543210', secret: SECRET }
export const one: Environment = { REDIS_URL: 'redis://h', WECHAT_APP_ID: ONE.appid, WECHAT_APP_SECRET: SECRET }

/** Apps files in a folder that lasts as long as the test file which asks for it. */
export function appsFiles() {
  let dir = ''
  let files = 0
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), 'wxo-worker-env-'))
  })
  afterAll(() => rmSync(dir, { recursive: true, force: true }))
  return {
    inDir: (name: string): string => join(dir, name),
    fileOf: (content: unknown): Environment => {
      files += 1
      const path = join(dir, `apps-${files}.json`)
      writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
      return { REDIS_URL: 'redis://h', WECHAT_APPS_FILE: path }
    },
  }
}

export function problemsOf(env: Environment): readonly string[] {
  try {
    readWorkerConfig(env)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    expect(error.message).not.toContain(SECRET)
    return error.problems
  }
  return []
}
