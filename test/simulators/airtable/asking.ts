import assert from 'node:assert/strict'
import type { Base } from '../../../simulators/airtable/base.ts'
import { startSimulator, type Simulator, type SimulatorOptions } from '../../../simulators/airtable/simulator.ts'
import { VirtualClock } from '../../../simulators/airtable/virtual-clock.ts'

export interface ListBody {
  readonly records: readonly {
    id: string
    createdTime: string
    commentCount?: number
    fields: Record<string, unknown>
  }[]
  readonly offset?: string
}

/** Without a limit to mind: what is tested here is what is listed. */
export const start = (base: Base, options: Partial<SimulatorOptions> = {}) =>
  startSimulator({ clock: new VirtualClock(), base, limiter: { perBase: 1e6, perUser: 1e6 }, ...options })

export async function list(
  sim: Simulator,
  table: string,
  query: Record<string, string> | string = {},
): Promise<ListBody> {
  const response = await sim.fetch(
    `/v0/${sim.base.id}/${encodeURIComponent(table)}?${new URLSearchParams(query).toString()}`,
  )
  const body = await response.text()
  assert.equal(response.status, 200, body)
  return JSON.parse(body) as ListBody
}

export async function listAll(
  sim: Simulator,
  table: string,
  query: Record<string, string> = {},
): Promise<ListBody['records']> {
  const records = []
  let offset: string | undefined
  do {
    const page = await list(sim, table, { ...query, ...(offset !== undefined && { offset }) })
    records.push(...page.records)
    offset = page.offset
  } while (offset !== undefined)
  return records
}

export async function refusal(sim: Simulator, path: string, init: RequestInit & { token?: string } = {}) {
  const response = await sim.fetch(path, init)
  const { error } = (await response.json()) as { error: string | { type: string; message: string } }
  return typeof error === 'string'
    ? { status: response.status, type: error }
    : { status: response.status, type: error.type, message: error.message }
}

/** The body of an answer that must be a 200. */
export async function ask<T>(sim: Simulator, path: string, method = 'GET', body?: unknown): Promise<T> {
  const init = body === undefined ? { method } : { method, body: JSON.stringify(body) }
  const response = await sim.fetch(path, init)
  const text = await response.text()
  assert.equal(response.status, 200, text)
  return JSON.parse(text) as T
}
