import { Writable } from 'node:stream'
import { describe, expect, it, vi } from 'vitest'
import { createLogger } from '../src/index.ts'
import { droppedLines } from '../src/log-stream.ts'

/** A destination whose reader stands still and goes on when it is told to. */
function reader() {
  const taken: string[] = []
  let goOn: (() => void) | undefined
  let isReading = true
  const out = new Writable({
    decodeStrings: false,
    write(line: string, _encoding, done) {
      const take = (): void => {
        taken.push(line)
        done()
      }
      if (isReading) take()
      else goOn = take
    },
  })
  const log = createLogger({ level: 'info', name: 'test', destination: out })
  return {
    log,
    out,
    lines: () => taken.map((line) => JSON.parse(line) as Record<string, unknown>),
    stop: () => void (isReading = false),
    goOn: (): void => {
      isReading = true
      goOn?.()
    },
  }
}

const LONG = 'x'.repeat(10_000)
const LINES = 400

describe('a reader that stands still', () => {
  it('loses what is beyond two megabytes, counted, and is told how much', async () => {
    const { log, lines, stop, goOn, out } = reader()
    const before = droppedLines()
    stop()
    for (let n = 0; n < LINES; n += 1) log.info({ event: 'long', n, text: LONG })
    const dropped = droppedLines() - before
    expect(dropped).toBeGreaterThan(100)
    expect(out.writableLength).toBeLessThan(3_000_000)
    goOn()
    await vi.waitFor(
      () => expect(lines().at(-1)).toMatchObject({ level: 'error', event: 'log.dropped', lines: dropped }),
      20_000,
    )
    const kept = LINES - dropped
    expect(lines().slice(0, -1)).toMatchObject(Array.from({ length: kept }, (_, n) => ({ event: 'long', n })))
    log.info({ event: 'again' })
    expect(lines().at(-1)).toMatchObject({ event: 'again' })
    expect(droppedLines() - before).toBe(dropped)
  })

  it('gets the last words of the process all the same', async () => {
    const { log, lines, stop, goOn } = reader()
    stop()
    for (let n = 0; n < LINES; n += 1) log.info({ event: 'long', text: LONG })
    log.fatal({ event: 'process.fault' })
    goOn()
    await vi.waitFor(() => expect(lines().at(-1)).toMatchObject({ event: 'log.dropped' }), 20_000)
    expect(lines().at(-2)).toMatchObject({ level: 'fatal', event: 'process.fault' })
  })
})

it('lines that cannot be written are counted, and nothing is thrown', async () => {
  const out = new Writable({ write: (_line, _encoding, done) => done(new Error('no space left')) })
  out.on('error', () => undefined)
  const log = createLogger({ level: 'info', name: 'test', destination: out })
  const before = droppedLines()
  log.info({ event: 'lost' })
  await vi.waitFor(() => expect(droppedLines() - before).toBe(1), 20_000)
  for (let n = 0; n < 10; n += 1) log.info({ event: 'lost' })
  expect(droppedLines() - before).toBe(11)
  // After a second it is tried again, and what is lost then is the line that tells of the others.
  await vi.waitFor(() => expect(droppedLines() - before).toBe(12), 10_000)
})
