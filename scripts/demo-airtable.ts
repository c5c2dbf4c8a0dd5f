/**
 * A simulated Airtable, a Holdfast that mirrors it, and somebody who changes something every few seconds:
 *
 *     npm run demo:airtable                      until Ctrl-C
 *     … -- --records 50000 --every 2             so many orders; a change every two seconds
 *     … -- --changes 5                           ends after so many changes
 *
 * All of it is on this machine: no account, no network, and nothing stays behind.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { generateBase } from '../simulators/airtable/generate.ts'
import { Random } from '../simulators/airtable/random.ts'
import { happen, type Happening } from '../simulators/airtable/shop/happening.ts'
import { startSimulator } from '../simulators/airtable/simulator.ts'

const SERVER = fileURLToPath(new URL('../server.ts', import.meta.url))
const LOOK_MS = 25
const SEEN_WITHIN_MS = 30_000
const END_WITHIN_MS = 10_000

const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '2500' },
    every: { type: 'string', default: '4' },
    changes: { type: 'string', default: 'Infinity' },
  },
})
const records = positive('records', values.records)
const everyMs = positive('every', values.every) * 1000
const changes = positive('changes', values.changes)

const ending = new AbortController()
const { signal } = ending
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => ending.abort())

const folder = mkdtempSync(join(tmpdir(), 'holdfast-demo-'))
const key = randomBytes(16).toString('hex')
const base = generateBase({ records })
const simulator = await startSimulator({ base, latencyMs: [150, 300], webhooks: { coalesceMs: 200 } })
const url = `http://127.0.0.1:${await freePort()}`
const holdfast = startHoldfast()
const exited = once(holdfast, 'exit')
void exited.then(() => ending.abort())

try {
  introduce()
  await untilMirrored()
  await live()
} catch (error) {
  if (!signal.aborted) throw error
} finally {
  await end()
}

function positive(name: string, text: string): number {
  const number = Number(text)
  if (number > 0) return number
  console.error(`--${name} must be a number above 0; found ${text}`)
  process.exit(2)
}

/** One that is free now. Holdfast has to know it beforehand, to tell Airtable where it can be told. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

function startHoldfast(): ChildProcess {
  return spawn(process.execPath, [SERVER], {
    cwd: folder,
    // A group of its own: Ctrl-C reaches it through us alone, so that it is not ended before its upstream is.
    detached: true,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      PATH: process.env.PATH,
      PORT: new URL(url).port,
      PUBLIC_URL: url,
      DATA_DIR: join(folder, 'data'),
      API_KEY: key,
      LOG_LEVEL: 'warn',
      REFRESH_CRON: 'off',
      SYNC_MODE: 'webhook',
      AIRTABLE_PERSONAL_TOKEN: simulator.token,
      AIRTABLE_BASE_ID: base.id,
      AIRTABLE_ENDPOINT_URL: simulator.url,
    },
  })
}

function introduce(): void {
  const count = base.tables.reduce((sum, { size }) => sum + size, 0)
  console.log(`
Airtable  ${simulator.url}, simulated: base ${base.id}, ${base.tables.length} tables, ${count} records, 5 calls a second
Holdfast  ${url}, with the key ${key}

  curl -H 'X-API-Key: ${key}' ${url}/status
  curl -H 'X-API-Key: ${key}' '${url}/api/tables/Orders?pageSize=3'
  curl -H 'X-API-Key: ${key}' '${url}/rest/v1/Orders?Status=eq.Shipped&select=Number,Amount&limit=3'
  curl -N -H 'X-API-Key: ${key}' -H 'Accept: text/event-stream' ${url}/api/changes
`)
}

async function untilMirrored(): Promise<void> {
  const began = performance.now()
  while ((await get('/ready'))?.status !== 200) await wait(LOOK_MS, undefined, { signal })
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  console.log(`Mirrored with ${simulator.requests.length} calls in ${seconds} s. Ctrl-C ends.\n`)
}

async function live(): Promise<void> {
  const random = new Random(Date.now())
  for (let count = 0; count < changes; count += 1) {
    const calls = simulator.requests.length
    const happening = happen(base, random)
    const ms = await untilSeen(happening)
    const how = ms === undefined ? 'Holdfast has not seen it' : `read from Holdfast ${Math.round(ms)} ms later`
    console.log(`${happening.what}: ${how}, after ${simulator.requests.length - calls} calls`)
    if (count + 1 < changes) await wait(everyMs, undefined, { signal })
  }
}

/** How long it took until a reader of Holdfast found the record as it is now, in milliseconds. */
async function untilSeen({ table, recordId, cells }: Happening): Promise<number | undefined> {
  const began = performance.now()
  while (performance.now() - began < SEEN_WITHIN_MS) {
    const answer = await get(`/api/tables/${table}/${recordId}`)
    const { record = {} } = ((await answer?.json()) ?? {}) as { record?: Record<string, unknown> }
    const isSeen =
      cells === undefined
        ? answer?.status === 404
        : Object.entries(cells).every(([name, cell]) => record[name] === cell)
    if (isSeen) return performance.now() - began
    await wait(LOOK_MS, undefined, { signal })
  }
  return undefined
}

/** Undefined while nobody answers. */
async function get(path: string): Promise<Response | undefined> {
  try {
    return await fetch(url + path, { headers: { 'X-API-Key': key }, signal })
  } catch (error) {
    if (signal.aborted) throw error
    return undefined
  }
}

async function end(): Promise<void> {
  const isWanted = holdfast.exitCode === null && holdfast.signalCode === null
  holdfast.kill('SIGTERM')
  const killing = setTimeout(() => holdfast.kill('SIGKILL'), END_WITHIN_MS)
  await exited
  clearTimeout(killing)
  await simulator.close()
  rmSync(folder, { recursive: true, force: true })
  if (!isWanted) {
    console.error(`Holdfast ended by itself (${holdfast.exitCode ?? holdfast.signalCode}).`)
    process.exitCode = 1
  }
}
