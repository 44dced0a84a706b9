/**
 * Bull Board over the queues of every app, for reading. Its own writing routes are never registered: what may be changed
 * is in board-writes.ts, and whatever a later version adds stays out until somebody lets it in there.
 */
import { createBullBoard } from '@bull-board/api'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { FastifyAdapter } from '@bull-board/fastify'
import {
  appPrefix,
  CALLBACK_QUEUE,
  DEAD_LETTER_QUEUE,
  type Hold,
  messageOf,
  readAwaitingUser,
  SEND_QUEUE,
  type Store,
  type UnservedApp,
  unservedSentence,
} from '@wechat-outbox/outbox/engine'
import { Queue } from 'bullmq'
import { holdSentence, holdWords } from './board-hold.ts'
import { changeJobs, type JobJson, markAwaitingUser, tellAttempts } from './board-jobs.ts'
import { maskAdapter, maskRoute } from './board-mask.ts'
import { callbackName, deadLetterName, maskOpenid, messageName } from './mask.ts'

export const DASHBOARD_PATH = '/dashboard'

export interface Board {
  readonly server: FastifyAdapter
  /** Where the files of its page are. */
  readonly staticDir: string
  /** Shows the queues of these apps and no others, and which of them are held or have messages that nobody sends. */
  show(appids: readonly string[], store: Store, states: AppStates): void
}

interface AppStates {
  readonly holds: readonly Hold[]
  readonly unserved: readonly UnservedApp[]
  /** Those that have something to show of what their receivers are told. */
  readonly callbacks: ReadonlySet<string>
}

export function createBoard(options: { readonly showContent: boolean }): Board {
  const server = new FastifyAdapter().setBasePath(DASHBOARD_PATH)
  const setApiRoutes = server.setApiRoutes.bind(server)
  server.setApiRoutes = (routes) => {
    const reading = routes.filter((route) => [route.method].flat().join() === 'get')
    return setApiRoutes(options.showContent ? reading : reading.map(maskRoute))
  }
  const setStaticPath = server.setStaticPath.bind(server)
  let staticDir = ''
  server.setStaticPath = (route, dir) => {
    staticDir = dir
    return setStaticPath(route, dir)
  }
  const board = createBullBoard({
    queues: [],
    serverAdapter: server,
    options: {
      // An appid and the queue's name fit into the menu.
      // Bull Board looks for workers by the names of connections. Ours share one for all apps, so it would find none.
      uiConfig: { boardTitle: 'wechat-outbox', hideDocsLink: true, showWorkers: false, menu: { width: '19rem' } },
      handlerHooks: { before: ({ method }) => ({ allow: method === 'get', status: 403 }) },
    },
  })
  // Bull Board would answer with the error's own text; thrown on, it meets the gateway's handler.
  server.setErrorHandler((error) => {
    throw isAskedWrongly(error)
      ? Object.assign(new Error('asked for what there cannot be'), { statusCode: 400 })
      : error
  })
  const known = new Map<string, Adapters>()
  let held = new Map<string, Hold>()
  let unserved = new Map<string, UnservedApp>()
  const stateOf = (appid: string): AppState => ({ hold: held.get(appid), unserved: unserved.get(appid) })
  return {
    server,
    staticDir,
    show(appids, store, states) {
      unserved = new Map(states.unserved.map((app) => [app.appid, app]))
      held = new Map(states.holds.map((hold) => [hold.appid, hold]))
      for (const appid of known.keys()) if (!appids.includes(appid)) known.delete(appid)
      for (const appid of appids)
        if (!known.has(appid)) known.set(appid, adaptersOf(appid, store, { ...options, stateOf }))
      const shown = (appid: string): BullMQAdapter[] => {
        const { messages = [], callbacks } = known.get(appid) ?? {}
        return callbacks !== undefined && states.callbacks.has(appid) ? [...messages, callbacks] : [...messages]
      }
      board.replaceQueues(appids.flatMap(shown))
    },
  }
}

/** Bull Board decodes a name twice, and hands page numbers of any size to Redis. */
function isAskedWrongly(error: unknown): boolean {
  return error instanceof URIError || messageOf(error).startsWith('ERR value is not an integer')
}

const QUEUES: readonly string[] = [SEND_QUEUE, DEAD_LETTER_QUEUE, CALLBACK_QUEUE]

/** The name of a queue in the dashboard's addresses: `wx…-send`, `wx…-dead-letter`, `wx…-callback`. */
export function readBoardName(name: string): { readonly appid: string; readonly queue: string } | null {
  const [, appid, queue] = /^(wx[0-9a-f]{16})-(.+)$/.exec(name) ?? []
  if (appid === undefined || queue === undefined || !QUEUES.includes(queue)) return null
  return { appid, queue }
}

interface Adapters {
  readonly messages: readonly BullMQAdapter[]
  readonly callbacks: BullMQAdapter
}

interface AppState {
  readonly hold: Hold | undefined
  readonly unserved: UnservedApp | undefined
}

interface Shown {
  readonly showContent: boolean
  readonly stateOf: (appid: string) => AppState
}

function adaptersOf(appid: string, store: Store, { showContent, stateOf }: Shown): Adapters {
  const send = new BullMQAdapter(openQueue(appid, SEND_QUEUE, store), {
    prefix: `${appid}-`,
    displayName: `${appid} send`,
    description: 'One job per message, named after its msgtype. Read-only.',
    readOnlyMode: true,
  })
  const { displayName, description } = send
  send.getDisplayName = () => {
    const { hold, unserved } = stateOf(appid)
    const words = [...(hold === undefined ? [] : holdWords(hold, showContent)), ...(unserved ? ['no worker'] : [])]
    return words.length === 0 ? displayName : `${displayName} – ${words.join(', ')}`
  }
  send.getDescription = () => {
    const { hold, unserved } = stateOf(appid)
    const sentences = [unserved && unservedSentence(unserved), hold && holdSentence(hold, showContent)]
    const said = sentences.filter((sentence) => sentence !== undefined)
    return said.length === 0 ? description : said.join(' ')
  }
  const dead = new BullMQAdapter(openQueue(appid, DEAD_LETTER_QUEUE, store), {
    prefix: `${appid}-`,
    displayName: `${appid} dead letters`,
    description:
      'Why each message died. Retry sends one again, as a new message; many at once: the page /dead-letters.',
  })
  const callbacks = new BullMQAdapter(openQueue(appid, CALLBACK_QUEUE, store), {
    prefix: `${appid}-`,
    displayName: `${appid} callbacks`,
    description: `What the app's receiver is told: waiting, or delayed until it is told again; completed: taken; failed: given up. Read-only: wxo callback replay.`,
    readOnlyMode: true,
  })
  const openidOf = showContent ? String : maskOpenid
  send.setFormatter('name', (job: { awaitsUser?: boolean } & JobJson) => {
    const name = messageName(job.name, job.data, openidOf)
    return job.awaitsUser === true ? `${name} · waits for its user` : name
  })
  dead.setFormatter('name', (job) => deadLetterName(job.name, job.data, openidOf))
  callbacks.setFormatter('name', (job) => callbackName(job.name, job.data, openidOf))
  changeJobs(send, tellAttempts)
  markAwaitingUser(send, (ids) => readAwaitingUser(store, appid, ids))
  for (const adapter of [send, dead, callbacks]) refuseForeignKeys(adapter)
  const adapters = { messages: [send, dead], callbacks }
  if (showContent) return adapters
  maskAdapter(send, SEND_QUEUE)
  maskAdapter(dead, DEAD_LETTER_QUEUE)
  maskAdapter(callbacks, CALLBACK_QUEUE)
  return adapters
}

/**
 * A job's key is the queue's with its id behind it, and the queue's other keys are made the same way. Asked for by such a name they would be
 * shown as a job, or fail because they are no hash.
 */
function refuseForeignKeys(adapter: BullMQAdapter): void {
  const getJob = adapter.getJob.bind(adapter)
  adapter.getJob = async (id) => {
    try {
      const job = await getJob(id)
      // Every job has the time at which it was added.
      return Number.isFinite(job?.timestamp) ? job : undefined
    } catch (error) {
      if (messageOf(error).startsWith('WRONGTYPE')) return undefined
      throw error
    }
  }
}

/** All queues share one connection: a queue of its own view on it costs neither a socket nor a round trip. */
function openQueue(appid: string, name: string, store: Store): Queue {
  const options = { connection: store.redis, prefix: appPrefix(appid), skipMetasUpdate: true, skipVersionCheck: true }
  const queue = new Queue(name, options, () => store.backend(appid, name))
  // Every call reports to its own caller; an unheard error event would end the process.
  queue.on('error', () => undefined)
  return queue
}
