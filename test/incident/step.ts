/** What a step of the play is, and what steps have in common: the tasks that they start. */
import type { Task } from '@wechat-outbox/outbox/engine'
import type { Desk } from './desk.ts'
import type { Scene } from './scene.ts'

export interface Step {
  readonly task: string
  readonly command: string
  /** @returns what was found to be so @throws where it is not */
  readonly run: () => Promise<string>
}

export interface Play {
  readonly scene: Scene
  readonly desk: Desk
  /** The person whose messages must not go out. */
  readonly excluded: string
  /** The last call at the fake WeChat before the operator does anything. */
  readonly seq: number
  /** The tasks that were started, in their order, and the log lines about them. */
  readonly tasks: string[]
  readonly logged: Promise<string>[]
}

/** Starts a task that goes on by itself, and remembers it. */
export async function start(play: Play, args: readonly string[]): Promise<Task> {
  const { stdout } = await play.desk.wxo([...args, '--yes', '--detach', '--json'])
  const { task } = JSON.parse(stdout) as { task: Task }
  remember(play, task, 'started')
  return task
}

/** Starts one and follows it to its end. */
export async function carryOut(play: Play, args: readonly string[], input?: string): Promise<Task> {
  const { stdout } = await play.desk.wxo([...args, '--yes', '--json'], input === undefined ? {} : { input })
  const { task } = JSON.parse(stdout) as { task: Task }
  remember(play, task, 'ended')
  return task
}

/** The worker's log holds one megabyte here: its line about a task is looked for while it is there. */
function remember({ scene, tasks, logged }: Play, { id }: Task, event: string): void {
  tasks.push(id)
  const line = scene.worker.waitForLine(new RegExp(`^.*"task.${event}".*"${id}".*$`)).then(([found]) => found)
  line.catch(() => undefined)
  logged.push(line)
}
