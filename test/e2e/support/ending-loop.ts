// Loaded into a worker before its own code: with SIGUSR2 the loop in which BullMQ fetches ends, without an error.
import { Worker } from 'bullmq'

Worker.prototype.run = new Proxy(Reflect.get(Worker.prototype, 'run') as () => Promise<void>, {
  apply(run, worker: Worker, args) {
    process.once('SIGUSR2', () => void worker.pause().then(() => process.stdout.write('the loop has ended\n')))
    return Reflect.apply(run, worker, args) as Promise<void>
  },
})
