/** The calls for operators: counts and tasks over dead letters, and apps that are held. */
import { TASK_SIZE } from '@wechat-outbox/messages'
import { z } from 'zod'
import { APP, failing, json, LETTERS, type Operation, ofApp } from './operation.ts'
import * as schemas from './operator-schemas.ts'

const TASKS = `${APP}/tasks`
const TASK = `${TASKS}/{id}`
const ofTask = ofApp.extend({ id: schemas.taskId })
const PAUSE_BYTES_MAX = 4096

export type OperatorOperationId =
  | 'countDeadLetters'
  | 'createTask'
  | 'listTasks'
  | 'readTask'
  | 'cancelTask'
  | 'listApps'
  | 'pauseApp'
  | 'resumeApp'

export const operatorOperations: Readonly<Record<OperatorOperationId, Operation>> = {
  countDeadLetters: {
    method: 'GET',
    path: `${LETTERS}:count`,
    right: 'read',
    document: {
      summary: 'How many dead letters there are, and of what',
      requestParams: { path: ofApp, query: schemas.countQuery },
      responses: { 200: { description: 'Counts', content: json(schemas.letterCounts) }, ...failing() },
    },
  },
  createTask: {
    method: 'POST',
    path: TASKS,
    right: 'replay',
    bodyBytesMax: TASK_SIZE.bytesMax,
    stores: true,
    document: {
      summary: 'Replay or discard many dead letters',
      description:
        'Of a filter, or of up to 10,000 ids. Workers carry it out, oldest first by acceptance. With `dryRun` nothing is done and the letters are counted. A filter’s `window` is judged when the letters are found.',
      requestParams: { path: ofApp },
      requestBody: { required: true, content: json(schemas.taskRequestShown) },
      responses: {
        202: {
          description: 'It is stored, and a worker will carry it out',
          headers: z.object({ Location: z.string() }),
          content: json(schemas.task),
        },
        200: { description: 'With `dryRun`: the counts', content: json(schemas.dryRun) },
        ...failing('unknown-app', 'too-many-tasks', 'WXO_FULL', 'too-large', 'content-type'),
      },
    },
  },
  listTasks: {
    method: 'GET',
    path: TASKS,
    right: 'read',
    document: {
      summary: 'Tasks that run, and those that ended in the last seven days',
      requestParams: { path: ofApp },
      responses: { 200: { description: 'All of them', content: json(schemas.taskList) }, ...failing() },
    },
  },
  readTask: {
    method: 'GET',
    path: TASK,
    right: 'read',
    document: {
      summary: 'How far a task is',
      requestParams: { path: ofTask },
      responses: { 200: { description: 'The task', content: json(schemas.task) }, ...failing('unknown-task') },
    },
  },
  cancelTask: {
    method: 'DELETE',
    path: TASK,
    right: 'replay',
    document: {
      summary: 'Cancel a task',
      description:
        'At once; what is left of its letters stays as it is. One that has ended stays so. With `takeBack`, for a day after its last letter also of a task that is done: what it has replayed and nobody has tried to send becomes the dead letters again that it was.',
      requestParams: { path: ofTask, query: schemas.cancelQuery },
      responses: { 200: { description: 'The task', content: json(schemas.task) }, ...failing('unknown-task') },
    },
  },
  listApps: {
    method: 'GET',
    path: '/v1/apps',
    right: 'read',
    document: {
      summary: 'Every app that a worker has served, what holds it, and what waits',
      description: 'Needs a key of all apps.',
      responses: { 200: { description: 'All of them', content: json(schemas.appList) }, ...failing() },
    },
  },
  pauseApp: {
    method: 'POST',
    path: `${APP}:pause`,
    right: 'replay',
    bodyBytesMax: PAUSE_BYTES_MAX,
    stores: true,
    document: {
      summary: 'Send nothing of an app until it is resumed',
      description: 'Messages are still accepted, and wait in order.',
      requestParams: { path: ofApp },
      requestBody: { required: false, content: json(schemas.pauseRequest) },
      responses: {
        200: { description: 'It is paused', content: json(schemas.heldApp) },
        ...failing('unknown-app', 'too-large', 'content-type'),
      },
    },
  },
  resumeApp: {
    method: 'POST',
    path: `${APP}:resume`,
    right: 'replay',
    stores: true,
    document: {
      summary: 'End a pause, a suspension or a throttling at once, whoever made it',
      requestParams: { path: ofApp },
      responses: { 200: { description: 'It is open', content: json(schemas.heldApp) }, ...failing('unknown-app') },
    },
  },
}
