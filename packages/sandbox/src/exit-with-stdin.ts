// Preloaded into the processes that tests start (`--import`): they hold a pipe from their parent as stdin, and
// when it ends the parent is gone, even by kill -9. The preload itself is the switch; nothing else is needed.
// Nothing waits for stdin here: it must not keep a process alive that has nothing left to do.
const leave = (): void => process.exit(1)
process.stdin.on('end', leave)
process.stdin.on('error', leave)
process.stdin.resume()
;(process.stdin as unknown as { unref?: () => void }).unref?.()
