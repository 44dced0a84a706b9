export { readWorkerConfig, type WorkerConfig, workerEnvSchema } from './env.ts'
export { type RunningWorker, startWorker } from './worker.ts'
