/** The words of the operator's page in English. `texts-zh.ts` has the same in Chinese. */

import type { AttemptOutcome, MessageStatus, WindowState } from '@wechat-outbox/messages'
import type { ProblemCode } from '../problem.ts'

const number = new Intl.NumberFormat('en')
const n = (count: number): string => number.format(count)
const plural = (count: number, one: string, many = `${one}s`): string => `${n(count)} ${count === 1 ? one : many}`
const letters = (count: number): string => plural(count, 'dead letter')

/** Letters that died of their reply window, by what is known of it now; `looked`: how many of them were looked at. */
type WindowsSaid = Readonly<Record<'total' | 'looked' | 'open' | 'shut' | 'unknown', number>>

export const en = {
  number: n,
  title: 'Dead letters',
  product: 'wechat-outbox',
  skip: 'Skip to the content',
  pages: 'Pages',
  queues: 'Queues',
  api: 'API',
  language: 'Language',
  utc: 'All times are UTC.',
  signedIn: (user: string) => `Signed in as ${user}`,
  back: 'Back to the list',
  hidden: 'hidden',
  none: 'none',

  root: { title: 'wechat-outbox', about: 'A durable outbound queue for WeChat customer-service messages.' },
  rootLinks: {
    deadLetters: 'what died and why; replay and discard',
    queues: 'every queue and job, in Bull Board',
    api: 'the API over HTTP',
  },

  app: {
    label: 'App',
    none: 'No app is known yet. An app appears here with its first worker.',
    paused: (why: string) =>
      `This app is paused${why === '' ? '' : ` (${why})`}: nothing goes out until it is resumed.`,
    held: (reason: string) => `This app is held (${reason}): nothing goes out until it works again or is resumed.`,
    unserved: 'No worker serves this app now: tasks and messages wait until one does.',
  },

  filter: {
    title: 'Which letters',
    reason: 'Code or reason',
    anyReason: 'All',
    window: 'Reply window now',
    search: 'Openid or id',
    searchHint: 'an openid, d-… or m-…',
    since: 'Died from (UTC)',
    until: 'Died until (UTC)',
    show: 'Show',
    clear: 'Show all',
    last: (hours: number) => (hours < 48 ? `last ${plural(hours, 'hour')}` : `last ${hours / 24} days`),
    periods: 'Periods',
  },

  windows: {
    open: 'open',
    'used-up': 'used up',
    closed: 'closed',
    unknown: 'not known',
  } satisfies Record<WindowState, string>,

  counts: {
    title: 'By code',
    caption: 'Dead letters by code, the most first',
    code: 'Code',
    meaning: 'Meaning',
    count: 'Letters',
    others: 'other reasons',
    othersMeaning: 'Codes that the table of reasons does not know.',
    empty: 'There are no dead letters here.',
    unknownMeaning: 'A code that the table of reasons does not know.',
  },

  chart: {
    title: 'By hour',
    label: (from: string, to: string, most: number) =>
      `Dead letters by the hour of their death, from ${from} to ${to}. The most in one hour: ${n(most)}.`,
    most: (most: number) => `at most ${n(most)} in an hour`,
    hours: (hours: number) => plural(hours, 'hour'),
    bar: (hour: string, count: number) => `${hour}: ${n(count)}`,
    table: 'The same as a table',
    caption: 'Dead letters by hour; hours without any are left out',
    hour: 'Hour',
    empty: (hours: number) => `None died in these ${plural(hours, 'hour')}.`,
    notCounted: 'A reason that may stand beside a code is not counted by hour. The preflight counts it.',
  },

  list: {
    title: 'Letters',
    total: letters,
    caption: 'Dead letters, the latest first',
    tick: 'Tick',
    tickOne: (id: string) => `Tick ${id}`,
    tickAll: 'Tick all on this page',
    tickNone: 'Tick none',
    died: 'Died',
    reason: 'Reason',
    person: 'Openid',
    type: 'Type',
    tries: 'Attempts',
    next: 'Next page',
    first: 'First page',
    empty: 'No dead letter is found.',
    looked: 'None found among those that this page has looked at. The next page looks further.',
    ticked: 'With the ticked ones',
    found: (total: number | undefined) => (total === undefined ? 'With all found' : `With all ${n(total)} found`),
    replay: 'Replay …',
    discard: 'Discard …',
    replayTicked: 'Replay the ticked ones …',
    discardTicked: 'Discard the ticked ones …',
    replayFound: 'Replay all found …',
    discardFound: 'Discard all found …',
  },

  letter: {
    title: (id: string) => `Dead letter ${id}`,
    reason: 'Reason',
    meaning: 'Meaning',
    said: 'WeChat said',
    rid: 'Request id',
    source: 'Source',
    person: 'Openid',
    personLetters: 'all of this person',
    type: 'Type',
    message: 'Message',
    accepted: 'Accepted',
    died: 'Died',
    replayOf: 'Replay of',
    earlier: 'Died before of',
    attempts: 'Attempts',
    attemptsCaption: 'What was tried, the latest last',
    noAttempts: 'Nothing was tried.',
    at: 'At',
    outcome: 'Outcome',
    answer: 'Answer',
    took: 'Took',
    ms: (ms: number) => `${n(ms)} ms`,
    metadata: 'Metadata',
    content: 'Content',
    contentHidden: 'The content is hidden. With DASHBOARD_SHOW_CONTENT=true it is shown.',
    notReplayable: {
      unreadable: 'The message cannot be read, so it cannot be replayed.',
      'content-removed': 'The content was removed because of its age. It cannot be replayed (not-replayable).',
    },
    actions: 'What to do',
  },

  outcomes: {
    delivered: 'delivered',
    retry: 'to be tried again',
    dead: 'dead',
    'token-refreshed': 'token replaced',
    'token-unavailable': 'no token',
    'media-renewed': 'picture uploaded again',
    'not-sent': 'not sent',
    refused: 'turned away',
    unsure: 'unknown whether WeChat took it',
    throttled: 'app throttled',
    suspended: 'app suspended',
    'waiting-for-user': 'waits for the user',
  } satisfies Record<AttemptOutcome, string>,

  gone: {
    title: 'There is no such dead letter',
    unknown: (id: string) =>
      `Nothing is known of ${id}: it was never a dead letter of this app, or that is no longer remembered.`,
    status: (id: string, status: string) => `Message ${id}: ${status}.`,
    replayedAs: 'It was replayed as',
  },

  statuses: {
    scheduled: 'scheduled',
    queued: 'queued',
    held: 'waits for an earlier message to the person',
    'waiting-for-user': 'waits for the next action of its user',
    sending: 'being sent',
    retrying: 'to be tried again',
    delivered: 'delivered',
    dead: 'dead',
    replayed: 'replayed as another message',
    discarded: 'discarded',
    cancelled: 'cancelled',
    superseded: 'replaced by a newer message',
  } satisfies Record<MessageStatus, string>,

  preflight: {
    title: (action: 'replay' | 'discard', total: number) =>
      `${action === 'replay' ? 'Replay' : 'Discard'} ${letters(total)}?`,
    nothing: 'There is nothing to do',
    nothingWhy: 'None of these letters is there any more.',
    which: 'Which',
    allOf: 'All dead letters of the app',
    code: (key: string) => `Code or reason: ${key}`,
    person: (openid: string) => `Openid: ${openid}`,
    window: (state: string) => `Reply window now: ${state}. The task looks again when it finds its letters.`,
    since: (time: string) => `Died at ${time} or later`,
    until: (time: string) => `Died at ${time} or before. What dies later is not included.`,
    ticked: (count: number) => `The ${count === 1 ? 'one' : n(count)} chosen`,
    gone: (count: number) => `${plural(count, 'of them is', 'of them are')} gone by now.`,
    caption: 'Letters by code, and what a replay comes to',
    prospect: 'A replay',
    now: 'Can be sent now',
    nowCount: (count: number, total: number) => `${n(count)} of ${n(total)}, as far as their codes tell`,
    windows: ({ total, looked, open, shut, unknown }: WindowsSaid) =>
      `The reply windows now${looked < total ? `, of ${n(looked)} that were looked at` : ''}: ${n(open)} open, ${n(shut)} closed or used up, ${n(unknown)} unknown. Without an open one they go out only if the user writes again before they are sent.`,
    windowsUnknown:
      'For these codes the state of the reply windows is not known: they go out only if the user has written again since.',
    unreadable: (count: number) =>
      `${plural(count, 'letter')} cannot be read, or ${count === 1 ? 'has' : 'have'} lost the content to age (not-replayable). The task leaves ${count === 1 ? 'it' : 'them'} as dead as before and counts ${count === 1 ? 'it' : 'them'} as failed.`,
    unreadableUnknown:
      'Letters that cannot be read or have lost their content (not-replayable) stay dead letters. The task counts them as failed; how many is known at its end.',
    final: 'Discarding cannot be undone: the messages are gone for good.',
    takeBack: 'A replay can be stopped, and what it has not sent yet can be taken back.',
    time: 'In what time',
    timeAt: (perSecond: number, duration: string) =>
      `At ${n(perSecond)} per second about ${duration}. That is an estimate: workers may be limited to less (REPLAY_MAX_PER_SECOND).`,
    timeFree: (perSecond: number, duration: string) =>
      `Without a limit of its own about ${duration}, at ${n(perSecond)} per second. That is an estimate: workers decide.`,
    perSecond: 'Letters per second',
    perSecondHint: 'empty: as fast as the workers are allowed',
    recalculate: 'Estimate again',
    confirm: (action: 'replay' | 'discard', total: number) =>
      action === 'replay' ? `Replay ${n(total)} now` : `Discard ${n(total)} for good`,
    cancel: 'Cancel',
  },

  tasks: {
    title: 'Tasks',
    running: 'Running tasks',
    all: 'All tasks',
    caption: 'Tasks, the latest first',
    none: 'No task is remembered.',
    task: 'Task',
    one: (id: string) => `Task ${id}`,
    progress: 'Progress',
    by: 'Started by',
    cancelledBy: 'Cancelled by',
    started: 'Started',
    ended: 'Ended',
    rate: 'Per second',
    noRate: 'as fast as it goes',
    actions: { replay: 'Replay', discard: 'Discard' },
    statuses: { running: 'running', done: 'done', cancelled: 'cancelled' },
    finding: 'finding its letters',
    done: (done: number, total: number) => `${n(done)} of ${n(total)}`,
    skipped: (count: number) => `${n(count)} skipped: gone, or taken by somebody else`,
    failed: (count: number) => `${n(count)} failed: dead letters as before`,
    takenBack: (count: number) => `${n(count)} taken back`,
    said: (action: string, status: string, percent: number) => `${action}: ${status}, ${percent} %`,
    cancel: 'Cancel',
    cancelOne: (id: string) => `Cancel ${id}`,
    takeBack: 'Cancel and take back',
    takeBackOne: (id: string) => `Cancel ${id} and take back what is not sent yet`,
    takeBackDone: 'Take back what is not sent yet',
    reload: 'Look again',
  },

  durations: {
    seconds: (count: number) => plural(count, 'second'),
    minutes: (count: number) => plural(count, 'minute'),
    hours: (count: number) => plural(count, 'hour'),
  },

  problem: 'It did not work',
  problems: {
    WXO_INVALID: 'The address or the form holds something that cannot be meant:',
    WXO_UNAVAILABLE: 'Redis is away. Nothing can be shown or done until it is back; try again in a moment.',
    'unknown-app': 'No worker has ever served this app. Is the appid right?',
    'unknown-dead-letter': 'There is no such dead letter.',
    'unknown-task': 'There is no such task, or it ended more than seven days ago.',
    'too-many-tasks': 'As many tasks of this app run as may run at the same time. Wait for one, or cancel one.',
    'not-found': 'There is nothing here.',
    'sign-in': 'Sign in with DASHBOARD_USER and DASHBOARD_PASSWORD.',
    'too-many-attempts': 'Too many wrong passwords. Wait a moment.',
    'dashboard-off': 'The dashboard is off: on any host but loopback it needs DASHBOARD_USER and DASHBOARD_PASSWORD.',
    timeout: 'This took too long and was given up. A narrower filter takes less.',
    internal: 'Something failed; the log of the gateway says what.',
  } satisfies Partial<Record<ProblemCode, string>>,
  /** What is wrong with a field of the address or the form, after its name. */
  problemOf: (_field: string, message: string) => message,
  tickOneFirst: 'tick at least one letter first',
} as const
