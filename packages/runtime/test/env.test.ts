import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { ConfigError, type Environment, flag, integer, logLevel, port, readEnv, text } from '../src/index.ts'

const schema = z.object({
  NAME: text,
  OPTIONAL: text.optional(),
  COUNT: integer(1, 100).default(7),
  ON: flag.default(false),
  LEVEL: logLevel.default('info'),
  PORT: port.default(80),
})
const defaults = { COUNT: 7, ON: false, LEVEL: 'info', PORT: 80 }

function problemsOf(env: Environment): readonly string[] {
  try {
    readEnv(schema, env)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

describe('readEnv', () => {
  it('reads what is there and leaves the rest at its default', () => {
    expect(readEnv(schema, { NAME: 'a' })).toEqual({ NAME: 'a', ...defaults })
    expect(readEnv(schema, { NAME: 'a', OPTIONAL: 'b', COUNT: '100', ON: 'true', LEVEL: 'silent', PORT: '0' })).toEqual(
      {
        NAME: 'a',
        OPTIONAL: 'b',
        COUNT: 100,
        ON: true,
        LEVEL: 'silent',
        PORT: 0,
      },
    )
  })

  it('takes an empty variable for a missing one', () => {
    expect(readEnv(schema, { NAME: 'a', OPTIONAL: '', COUNT: '', ON: '' })).toEqual({ NAME: 'a', ...defaults })
    expect(problemsOf({ NAME: '' })).toEqual(['NAME is missing'])
  })

  it('passes over variables that are not its own', () => {
    expect(readEnv(schema, { NAME: 'a', HOME: '/root', COUNTS: 'x' })).toEqual({ NAME: 'a', ...defaults })
  })

  it('says everything that is wrong at once, in its message too', () => {
    const env = { COUNT: '0', ON: 'yes', LEVEL: 'loud', PORT: '65536' }
    expect(problemsOf(env)).toEqual([
      'NAME is missing',
      'COUNT must be from 1 to 100',
      'ON must be true or false',
      'LEVEL must be a level of pino',
      'PORT must be from 0 to 65535',
    ])
    expect(() => readEnv(schema, env)).toThrow(/not usable:\n {2}- NAME is missing\n {2}- COUNT must/)
  })

  it.each(['1.5', '-1', '+1', '1e3', '0x10', ' 1', '1 ', 'abc', '９', '1'.repeat(16)])(
    'takes no other writing of a whole number: %j',
    (COUNT) => expect(problemsOf({ NAME: 'a', COUNT })).toEqual(['COUNT must be a whole number']),
  )

  it.each(['TRUE', '1', 'on', 'yes', ' true'])('takes no other writing of a flag: %j', (ON) => {
    expect(problemsOf({ NAME: 'a', ON })).toEqual(['ON must be true or false'])
  })

  it('never says a value', () => {
    const env = { COUNT: 'S3CRET', ON: 'S3CRET', LEVEL: 'S3CRET', PORT: 'S3CRET' }
    expect(problemsOf(env)).toHaveLength(5)
    expect(problemsOf(env).join()).not.toContain('S3CRET')
  })
})
