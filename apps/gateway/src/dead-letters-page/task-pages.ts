/** Tasks with their progress. While one runs, what is shown of it renews itself where there is JavaScript. */
import type { Task } from '@wechat-outbox/outbox/engine'
import { type Html, html, type Part } from './html.ts'
import { hiddenFields, type PageContext, renderPage, timeOf } from './layout.ts'
import { hrefOf } from './links.ts'

/** On the first page: those that run, and the latest ones. */
const RECENT_MAX = 3
/** What is said aloud changes with every quarter of the way, and not with every look. */
const SAID_PERCENT = 25

const isRunning = ({ status }: Task): boolean => status === 'running'

/** For the first page. */
export function renderTasksSection(context: PageContext, tasks: readonly Task[]): Html {
  const { t, place } = context
  const shown = tasks.filter((task, at) => isRunning(task) || at < RECENT_MAX)
  if (shown.length === 0) return html`<div id="tasks"></div>`
  const title = shown.some(isRunning) ? t.tasks.running : t.tasks.title
  return html`<section id="tasks" aria-labelledby="tasks-title"><h2 id="tasks-title">${title}</h2>
${renderLive(context, { tasks: shown, path: '/tasks' })}
${renderTable(context, shown)}
<p class="pages"><a href="">${t.tasks.reload}</a> <a href="${hrefOf('/tasks', place)}">${t.tasks.all}</a></p></section>`
}

export function renderTasksPage(context: PageContext, tasks: readonly Task[]): Html {
  const { t, place } = context
  const body = html`<h1>${t.tasks.all} <small>${place.appid ?? ''}</small></h1>
${tasks.length === 0 ? html`<p>${t.tasks.none}</p>` : renderTable(context, tasks)}
<p class="pages"><a href="">${t.tasks.reload}</a> <a href="${hrefOf('', place)}">${t.back}</a></p>`
  return renderPage(context, { title: t.tasks.all, body })
}

export function renderTaskPage(context: PageContext, task: Task): Html {
  const { t, place } = context
  const title = t.tasks.one(task.id)
  const body = html`<h1>${title}</h1>${renderTask(context, task)}
<p class="pages"><a href="">${t.tasks.reload}</a> <a href="${hrefOf('/tasks', place)}">${t.tasks.all}</a> <a href="${hrefOf('', place)}">${t.back}</a></p>`
  return renderPage(context, { title, body, live: true })
}

export function renderTask(context: PageContext, task: Task): Html {
  const { t } = context
  const { action, status, perSecond, startedAt, endedAt, by, cancelledBy } = task
  return html`<section id="tasks" aria-label="${t.tasks.progress}">
${renderLive(context, { tasks: [task], path: `/tasks/${task.id}` })}
<p><strong>${t.tasks.actions[action]}: ${t.tasks.statuses[status]}</strong></p>
<div class="progress">${renderProgress(context, task)}</div>
<dl><div><dt>${t.tasks.by}</dt><dd>${by}</dd></div>${cancelledBy !== undefined && html`<div><dt>${t.tasks.cancelledBy}</dt><dd>${cancelledBy}</dd></div>`}
<div><dt>${t.tasks.started}</dt><dd>${timeOf(Date.parse(startedAt))}</dd></div>
${endedAt !== undefined && html`<div><dt>${t.tasks.ended}</dt><dd>${timeOf(Date.parse(endedAt))}</dd></div>`}
<div><dt>${t.tasks.rate}</dt><dd>${perSecond ?? t.tasks.noRate}</dd></div></dl>
${renderEnding(context, task)}</section>`
}

/** What asks for the next look, as long as something runs, and what is said aloud. */
function renderLive({ t, place }: PageContext, { tasks, path }: { tasks: readonly Task[]; path: string }): Html {
  const said = tasks
    .filter((task, at) => isRunning(task) || at === 0)
    .map((task) => {
      const percent = Math.floor(partOf(task) / (SAID_PERCENT / 100)) * SAID_PERCENT
      return html`<span>${t.tasks.said(t.tasks.actions[task.action], t.tasks.statuses[task.status], percent)}</span> `
    })
  const poll = html`<div data-hx-get="${hrefOf(path, place)}" data-hx-trigger="every 1s" data-hx-target="#tasks" data-hx-swap="outerMorph"></div>`
  return html`${tasks.some(isRunning) && poll}<p class="unseen" role="status">${said}</p>`
}

function partOf({ total, done, skipped, failed, status }: Task): number {
  if (total === null || total === 0) return status === 'done' ? 1 : 0
  return (done + skipped + failed) / total
}

function renderTable(context: PageContext, tasks: readonly Task[]): Html {
  const { t, place } = context
  const rows = tasks.map(
    (
      task,
    ) => html`<tr><th scope="row"><a href="${hrefOf(`/tasks/${task.id}`, place)}">${t.tasks.actions[task.action]}: ${t.tasks.statuses[task.status]}<span class="unseen"> ${task.id}</span></a></th>
<td>${renderProgress(context, task)}</td><td class="wide">${task.by}</td><td class="wide">${timeOf(Date.parse(task.startedAt))}</td><td>${isRunning(task) && renderEnding(context, task)}</td></tr>`,
  )
  return html`<table><caption>${t.tasks.caption}</caption>
<thead><tr><th scope="col">${t.tasks.task}</th><th scope="col">${t.tasks.progress}</th><th scope="col" class="wide">${t.tasks.by}</th><th scope="col" class="wide">${t.tasks.started}</th><th scope="col">${t.tasks.cancel}</th></tr></thead>
<tbody>${rows}</tbody></table>`
}

function renderProgress({ t }: PageContext, task: Task): Part {
  const { id, total, done, skipped, failed, takenBack, status } = task
  const name = `${t.tasks.progress}: ${t.tasks.one(id)}`
  if (total === null && status === 'running') return html`<progress aria-label="${name}"></progress> ${t.tasks.finding}`
  const all = total ?? done + skipped + failed
  const rest = [
    skipped > 0 && t.tasks.skipped(skipped),
    failed > 0 && t.tasks.failed(failed),
    takenBack > 0 && t.tasks.takenBack(takenBack),
  ].filter((one) => one !== false)
  return html`<progress aria-label="${name}" max="${Math.max(1, all)}" value="${all === 0 ? 1 : done + skipped + failed}"></progress> ${t.tasks.done(done, all)}${rest.map((one) => html`<br><small>${one}</small>`)}`
}

/** The buttons that end a task, or take back what it has replayed. Each has an id, by which it keeps the focus when it is renewed. */
function renderEnding({ t, place }: PageContext, task: Task): Part {
  const { id, action } = task
  const mayTakeBack = action === 'replay' && (isRunning(task) || task.done > task.takenBack)
  if (!isRunning(task) && !mayTakeBack) return false
  const takeBack = isRunning(task) ? t.tasks.takeBack : t.tasks.takeBackDone
  return html`<form class="actions" id="end-${id}" method="post" action="${hrefOf(`/tasks/${id}/cancel`, { appid: undefined, lang: undefined })}">
${hiddenFields({ app: place.appid, lang: place.lang })}
${isRunning(task) && html`<button id="cancel-${id}" aria-label="${t.tasks.cancelOne(id)}">${t.tasks.cancel}</button>`}
${mayTakeBack && html`<button id="take-back-${id}" name="takeBack" value="true" aria-label="${takeBack}: ${id}">${takeBack}</button>`}</form>`
}
