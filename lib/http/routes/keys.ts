import { SCOPES, type Scope } from '../../access.ts'
import { doubtsAbout, requireColumns, type KeyInfo, type KeySpec, type RuleSpec } from '../../keys.ts'
import { byName, flag, rate, readMembers, seconds, text, texts, type MemberRule } from '../body-members.ts'
import type { Context } from '../context.ts'
import { badParameter } from '../query.ts'
import { defineRoute, readBody, type Route } from '../route.ts'
import { keyToWire } from '../wire-key.ts'

const DAY_S = 86_400
const MAX_OVERLAP_S = 90 * DAY_S
const MAX_LIFE_S = 3650 * DAY_S
const OVERLAP_MS = DAY_S * 1000

const scopes: MemberRule<readonly Scope[]> = {
  expected: `a list of ${SCOPES.join(', ')}`,
  read: (value) =>
    Array.isArray(value) && value.every((scope) => SCOPES.includes(scope as Scope)) ? (value as Scope[]) : undefined,
}

const MEMBERS = {
  name: text,
  scopes,
  limits: texts,
  filters: byName(text),
  hidden: byName(texts),
  rate,
  expires_in_seconds: seconds(MAX_LIFE_S),
  replaces: text,
  overlap_seconds: seconds(MAX_OVERLAP_S),
  force: flag,
} as const

/** `/api/keys`: who may read what. */
export function keyRoutes({ keyStore, snapshots, sources, clock, log }: Context): Route[] {
  const tablesOf = (source: string) => snapshots.active(source)?.pointer.tables
  return [
    defineRoute({
      method: 'GET',
      path: '/api/keys',
      scope: 'admin',
      summary: 'The keys that were made, without what is secret of them',
      handle({ exchange }) {
        exchange.json(200, { keys: keyStore.list().map((info) => keyToWire(info, clock.now())) })
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/keys',
      scope: 'admin',
      summary: 'Makes a key, and shows it this once',
      async handle({ exchange, principal, body }) {
        const given = readMembers(body, MEMBERS)
        const { replaces, overlap_seconds: overlap } = given
        if (overlap !== undefined && replaces === undefined) throw badParameter('overlap_seconds', 'with replaces')
        const spec = specOf(given, clock.now())
        if (!given.force) requireColumns(spec.rules ?? {}, tablesOf, 'with "force": true it is made all the same')
        const { key, info } = await keyStore.create(
          spec,
          replaces === undefined
            ? undefined
            : { id: replaces, overlapMs: overlap === undefined ? OVERLAP_MS : overlap * 1000 },
        )
        log.info({ key: info.id, by: principal.id, replaces }, 'a key was made')
        exchange.json(201, {
          key,
          ...keyToWire(info, clock.now()),
          warnings: doubtsAbout(info, sources, tablesOf),
        })
      },
    }),
    defineRoute({
      method: 'POST',
      path: '/api/keys/:id/revoke',
      scope: 'admin',
      summary: 'Ends a key, and its streams, within a second',
      async handle({ exchange, principal, params, body }) {
        readBody(body, [])
        const info: KeyInfo = await keyStore.revoke(params.id!)
        log.info({ key: info.id, by: principal.id }, 'a key was revoked')
        exchange.json(200, keyToWire(info, clock.now()))
      },
    }),
  ]
}

function specOf(given: ReturnType<typeof readMembers<typeof MEMBERS>>, now: number): Partial<KeySpec> {
  const { filters, hidden, expires_in_seconds: life } = given
  return {
    ...(given.name !== undefined && { name: given.name }),
    ...(given.scopes !== undefined && { scopes: given.scopes }),
    ...(given.limits !== undefined && { limits: given.limits }),
    ...(given.rate !== undefined && { rate: given.rate }),
    ...((filters ?? hidden) && { rules: rulesOf(filters ?? {}, hidden ?? {}) }),
    ...(life !== undefined && { expiresAt: now + life * 1000 }),
  }
}

function rulesOf(
  filters: Readonly<Record<string, string>>,
  hidden: Readonly<Record<string, readonly string[]>>,
): Record<string, RuleSpec> {
  const names = new Set([...Object.keys(filters), ...Object.keys(hidden)])
  return Object.fromEntries(
    Array.from(names, (name) => [
      name,
      {
        filter: Object.hasOwn(filters, name) ? filters[name]! : null,
        hidden: Object.hasOwn(hidden, name) ? hidden[name]! : [],
      },
    ]),
  )
}
