/** Preloaded into a process (`--import`): its machine's clock is off by `CLOCK_SHIFT_MS`, as that of a host without NTP. */
const shiftMs = Number(process.env['CLOCK_SHIFT_MS'] ?? 0)
const realNow = Date.now
const now = (): number => realNow() + shiftMs

globalThis.Date = new Proxy(Date, {
  construct: (target, args, self) => Reflect.construct(target, args.length === 0 ? [now()] : args, self) as object,
  get: (target, key) => (key === 'now' ? now : (Reflect.get(target, key) as unknown)),
})
Object.defineProperty(performance, 'timeOrigin', { value: performance.timeOrigin + shiftMs })
