/**
 * Measures Holdfast beside its references and prints one table.
 *
 *     npm run bench                      all rows; writes bench/results.md and the table in README.md
 *     npm run bench -- 304 start         rows whose name contains one of the words; prints only
 *     npm run bench -- --quick           fewer rounds, less than 90 s; prints only
 *     … --write                          writes all the same
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, totalmem } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Context } from './lib/context.ts'
import { nginxVersion } from './lib/nginx.ts'
import { endAll } from './lib/processes.ts'
import { Skipped, type Outcome, type Row } from './lib/row.ts'
import { renderNotes, renderTable, replaceBlock } from './lib/table.ts'
import { rows as airtable } from './rows/airtable.ts'
import { rows as conditional } from './rows/conditional.ts'
import { rows as duringSync } from './rows/during-sync.ts'
import { rows as fullBody } from './rows/full-body.ts'
import { rows as originalFigures } from './rows/original-figures.ts'
import { rows as publish } from './rows/publish.ts'
import { rows as queries } from './rows/queries.ts'
import { rows as start } from './rows/start.ts'
import { rows as subscribers } from './rows/subscribers.ts'
import { rows as tenTimes } from './rows/ten-times.ts'
import { rows as syncFromFile } from './rows/sync-from-file.ts'

const ROWS: readonly Row[] = [
  fullBody,
  conditional,
  queries,
  tenTimes,
  originalFigures,
  duringSync,
  subscribers,
  syncFromFile,
  publish,
  airtable,
  start,
].flat()
const ROW_MS = 180_000
const BENCH_MS = 1_200_000
const MARKERS = { begin: '<!-- bench:begin -->', end: '<!-- bench:end -->' }

const { values: flags, positionals: words } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false }, write: { type: 'boolean', default: false } },
})
const chosen =
  words.length === 0
    ? ROWS
    : ROWS.filter(({ name }) => words.some((word) => name.toLowerCase().includes(word.toLowerCase())))
if (chosen.length === 0) {
  console.error(
    `no row has ${words.join(' or ')} in its name; there are:\n${ROWS.map(({ name }) => `  ${name}`).join('\n')}`,
  )
  process.exit(2)
}

const outcomes: Outcome[] = []
const loadBefore = loadavg()[0] ?? 0
const from = performance.now()
const context = await Context.create({ isQuick: flags.quick, log: (text) => console.error(`  ${text}`) })
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void abandon(`stopped by ${signal}`))
const deadline = setTimeout(() => void abandon(`not finished after ${BENCH_MS / 1000} s`), BENCH_MS)
try {
  for (const row of chosen) {
    const began = performance.now()
    console.error(row.name)
    outcomes.push(await measure(row, context))
    console.error(`  ${((performance.now() - began) / 1000).toFixed(1)} s`)
  }
} finally {
  await context[Symbol.asyncDispose]()
  clearTimeout(deadline)
}

const report = [
  `Measured ${new Date().toISOString().slice(0, 10)} in ${((performance.now() - from) / 1000).toFixed(0)} s${flags.quick ? ' (--quick: few rounds)' : ''}: ${machine()}.`,
  'Ours and the reference take turns; figures are medians, ratios the median of the pairs.',
  '',
  renderTable(outcomes),
].join('\n')
const notes = renderNotes(outcomes)
console.log(`${report}\n\n${notes}`)
if (flags.write || (words.length === 0 && !flags.quick)) write(report, notes)
process.exitCode = outcomes.some(({ kind }) => kind === 'failed') ? 1 : 0

async function measure(row: Row, inContext: Context): Promise<Outcome> {
  let timer: NodeJS.Timeout | undefined
  const tooLong = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not finished after ${ROW_MS / 1000} s`)), ROW_MS)
  })
  try {
    return { row, kind: 'measured', measurement: await Promise.race([row.run(inContext), tooLong]) }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    console.error(`  ${error instanceof Skipped ? 'skipped' : 'failed'}: ${reason}`)
    return { row, kind: error instanceof Skipped ? 'skipped' : 'failed', reason }
  } finally {
    clearTimeout(timer)
  }
}

function write(text: string, details: string): void {
  writeFileSync(join(import.meta.dirname, 'results.md'), `# Bench\n\n${text}\n\n## Notes\n\n${details}\n`)
  const readme = join(import.meta.dirname, '../README.md')
  const replaced = existsSync(readme) ? replaceBlock(readFileSync(readme, 'utf8'), MARKERS, text) : undefined
  if (replaced !== undefined) writeFileSync(readme, replaced)
}

function machine(): string {
  const [first] = cpus()
  const memory = `${(totalmem() / 2 ** 30).toFixed(0)} GiB`
  return `${cpus().length} × ${first?.model.trim() ?? 'CPU'}, ${memory}, Node ${process.version.slice(1)}, ${nginxVersion() ?? 'no nginx'}; load ${loadBefore.toFixed(1)} before`
}

/** Nothing that was started here may outlive the bench, nor may its files. */
async function abandon(reason: string): Promise<void> {
  console.error(reason)
  await endAll()
  await context[Symbol.asyncDispose]()
  process.exit(1)
}
