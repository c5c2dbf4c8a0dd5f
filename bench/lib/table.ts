import type { Outcome, Unit } from './row.ts'

const COLUMNS = ['What', 'Ours', 'Reference', 'Ratio', 'Target', 'Met?']

export function renderTable(outcomes: readonly Outcome[]): string {
  const cells = [COLUMNS, ...outcomes.map(cellsOf)]
  const widths = COLUMNS.map((_, column) => Math.max(...cells.map((row) => widthOf(row[column] ?? ''))))
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - widthOf(cell))).join(' | ')} |`
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`
  return [line(COLUMNS), rule, ...cells.slice(1).map(line)].join('\n')
}

export function renderNotes(outcomes: readonly Outcome[]): string {
  return outcomes.flatMap(noteOf).join('\n')
}

/** The text with what is between the markers replaced, or undefined when it does not have both. */
export function replaceBlock(text: string, markers: { begin: string; end: string }, block: string): string | undefined {
  const from = text.indexOf(markers.begin)
  const to = text.indexOf(markers.end, from)
  if (from < 0 || to < 0) return undefined
  return `${text.slice(0, from + markers.begin.length)}\n${block}\n${text.slice(to)}`
}

export function formatFigure(value: number, unit: Unit): string {
  if (unit === 'req/s') return `${Math.round(value).toLocaleString('en')} req/s`
  if (unit === 'ms' && Math.abs(value) >= 10_000) return `${(value / 1000).toFixed(1)} s`
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return `${value.toFixed(digits)} ${unit}`
}

function cellsOf(outcome: Outcome): string[] {
  const { row } = outcome
  if (outcome.kind !== 'measured') return [row.name, `${outcome.kind}, see notes`, '–', '–', row.target.text, '–']
  const { ours, unit, reference, ratio } = outcome.measurement
  const met = row.target.isMet(outcome.measurement)
  return [
    row.name,
    formatFigure(ours, unit),
    reference === undefined
      ? '–'
      : reference.value === null
        ? reference.what
        : `${formatFigure(reference.value, unit)} (${reference.what})`,
    ratio === undefined ? '–' : `${ratio.toFixed(2)} ×`,
    row.target.text,
    met === undefined ? '–' : met ? 'yes' : 'NO',
  ]
}

function noteOf(outcome: Outcome): string[] {
  if (outcome.kind !== 'measured')
    return [`- ${outcome.row.name}: ${outcome.kind}: ${outcome.reason.replaceAll(/\s+/g, ' ').slice(0, 500)}`]
  const { note } = outcome.measurement
  return note === undefined ? [] : [`- ${outcome.row.name}: ${note}`]
}

/** Columns on a terminal: what is written here has no wide characters. */
function widthOf(text: string): number {
  return Array.from(text).length
}
