import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { join } from 'node:path'
import { Context } from './lib/context.ts'
import { Mirror, place } from './lib/holdfast.ts'
const N = Number(process.env.N ?? 4000)
const SNAP = process.env.SNAP === '1'
const context = await Context.create({ isQuick: true, log: console.error })
const folder = context.scratch()
const path = join(folder, 'upstream/wares.json')
const mirror = new Mirror(folder, [{ source: 'wares', path, key: ['sku'] }])
const put = (version: number) => {
  const file = join(folder, `wares-${version}.json`)
  writeFileSync(file, JSON.stringify(Array.from({ length: 20000 }, (_, i) => ({ sku: `w-${i}`, name: `Ware ${i}`, stock: i % 750 === version % 750 ? version : i, text: 'the same for ever '.repeat(3) }))))
  place(file, path)
}
put(0)
{
await using server = await mirror.startServer({ WEB_CONCURRENCY: '2', MAX_STREAMS: '5000', SYNC_IN_SERVER: 'true', ...(SNAP ? { NODE_OPTIONS: `--heapsnapshot-signal=SIGUSR2 --diagnostic-dir=/tmp/snaps` } : {NODE_OPTIONS: process.env.NOPT ?? ''}) })
await server.firstRun('wares')
const kids = () => readdirSync(`/proc/${server.running.pid}/task`).flatMap((t) => readFileSync(`/proc/${server.running.pid}/task/${t}/children`, 'utf8').split(' ').filter(Boolean).map(Number))
const mem = (what: string) => {
  const out = kids().map((pid) => { const s = readFileSync(`/proc/${pid}/status`, 'utf8'); const f = (n: string) => (Number(new RegExp(`${n}:\\s+(\\d+)`).exec(s)![1]) / 1024).toFixed(0); return `anon ${f('RssAnon')} file ${f('RssFile')}` })
  console.log(what, out.join(' | '))
}
const heap = async () => {
  const seen = new Map<string, string>()
  for (let i = 0; i < 8; i++) {
    const t = await (await fetch(`http://127.0.0.1:${server.port}/metrics`, { headers: { ...server.target('/').headers, connection: 'close' } })).text()
    const g = (n: string) => (Number(new RegExp(`^${n}\\{[^}]*\\} (\\S+)`, 'm').exec(t)?.[1]) / 1e6).toFixed(1)
    const sp = [...t.matchAll(/^nodejs_heap_space_size_(total|used)_bytes\{space="(\w+)"[^}]*\} (\S+)/gm)].filter((m) => Number(m[3]) > 1e6).map((m) => `${m[2]}.${m[1]}=${(Number(m[3]) / 1e6).toFixed(1)}`).join(' ')
    seen.set(/process="(\d)"/.exec(t)![1]!, `heap used ${g('nodejs_heap_size_used_bytes')} total ${g('nodejs_heap_size_total_bytes')} ext ${g('nodejs_external_memory_bytes')} rss ${g('process_resident_memory_bytes')} ${sp}`)
  }
  for (const [k, v] of [...seen].sort()) console.log('   ', k, v)
}
await sleep(1500)
await heap()
mem('before')
const ready = join(folder, 'ready')
const job = context.load.start('subscribe', { target: server.target('/api/changes?source=wares'), subscribers: N, readyFile: ready })
if (N > 0) while (!existsSync(ready)) await sleep(50)
await sleep(1000)
mem('subscribed')
if (!SNAP) await heap()
if (SNAP) { process.kill(kids()[0]!, 'SIGUSR2'); await sleep(15000); mem('snap') }
for (let v = 1; v <= Number(process.env.P ?? 6); v++) { put(v); await server.publish('wares'); await sleep(1000); mem(`publish ${v}`) }
if (!SNAP) await heap()
job.stop()
const r = await job.result
console.log(r.subscribers, r.lost, r.outOfOrder, r.batches.map((b) => `${b.had} ${(b.last - b.first).toFixed(0)}ms`).join(', '))
await sleep(1000)
mem('gone')
if (!SNAP) await heap()
}
await context[Symbol.asyncDispose]()
