/** What the far side is told to do, and what it has seen: the words that its process and the bench share. */
import type { Mark } from '../meter.ts'

export interface FarPlan {
  /** Counts of accepted messages at which time and usage are noted; the last one is the end. */
  readonly marksAt: readonly number[]
  /** Every answer takes between these, in ms. */
  readonly latencyMs?: readonly [number, number]
  /** This share of the calls is answered -1. */
  readonly busyShare?: number
  /** Answers everything with this errcode. */
  readonly errcode?: number
  /** The first calls are never answered. */
  readonly hangFirst?: number
  /** One recipient whose messages take this long and are not counted. */
  readonly apart?: { readonly touser: string; readonly latencyMs: number }
  /** Remembers when each message arrived first. */
  readonly keepArrivals?: boolean
}

export interface FarState {
  /** Calls, whatever they were answered. */
  readonly calls: number
  readonly accepted: number
  /** Accepted after a later message to the same recipient had been. */
  readonly disordered: number
  /** Accepted a second time. */
  readonly doubled: number
  /** Calls for the recipient that is kept apart. */
  readonly apart: number
  readonly marks: readonly Mark[]
}
