/** Preloaded into a process (`--import`): its machine's clock is off by `CLOCK_SHIFT_MS`, as a host without NTP has it. */
const shiftMs = Number(process.env['CLOCK_SHIFT_MS'] ?? 0)
const Real = Date

class Shifted extends Real {
  constructor(...args: unknown[]) {
    // biome-ignore lint/suspicious/noExplicitAny: whatever a Date takes
    super(...((args.length === 0 ? [Real.now() + shiftMs] : args) as [any]))
  }

  static override now(): number {
    return Real.now() + shiftMs
  }
}

globalThis.Date = Shifted as DateConstructor
Object.defineProperty(performance, 'timeOrigin', { value: performance.timeOrigin + shiftMs })
