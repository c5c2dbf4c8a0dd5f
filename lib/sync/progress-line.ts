import type { Run } from '../sync-run.ts'

const BAR_WIDTH = 24

/** One line that shows where a run is: a bar where the end is known, rate and time left. */
export function progressLine(run: Run, width: number): string {
  const { progress } = run
  if (progress === null) return `${run.source}  waiting`.slice(0, width)
  const rows = progress.tables.reduce((sum, table) => sum + table.completed, 0)
  const bar = progress.done === null ? '' : `${barOf(progress.done)} ${Math.floor(progress.done * 100)} %  `
  const parts = [`${run.source}  ${bar}${progress.phase}`, `${rows.toLocaleString('en')} rows`]
  if (progress.phase === 'pulling' && progress.rate > 0) parts.push(`${progress.rate.toLocaleString('en')} rows/s`)
  if (progress.phase === 'pulling' && progress.etaMs !== null) parts.push(`${durationText(progress.etaMs)} left`)
  return parts.join('  ').slice(0, width)
}

/** How a run ended, for people. */
export function endLine(run: Run): string {
  const ms = run.startedAt === null || run.finishedAt === null ? null : run.finishedAt - run.startedAt
  const took = ms === null ? '' : ` in ${durationText(ms)}`
  const rows = run.progress?.tables.reduce((sum, table) => sum + table.completed, 0) ?? 0
  if (run.result === 'published')
    return `${run.source}  published ${rows.toLocaleString('en')} rows as ${run.snapshot}${took}`
  if (run.result === 'unchanged') return `${run.source}  unchanged${took}`
  const why = run.error === null ? '' : `: ${run.error.message} (${run.error.code})`
  return `${run.source}  ${run.status}${why}`
}

function barOf(done: number): string {
  const filled = Math.round(done * BAR_WIDTH)
  return `${'█'.repeat(filled)}${'░'.repeat(BAR_WIDTH - filled)}`
}

function durationText(ms: number): string {
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`
  if (ms < 120_000) return `${Math.round(ms / 1000)} s`
  return `${Math.round(ms / 60_000)} min`
}
