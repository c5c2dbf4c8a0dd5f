import { ROOT_CONTEXT, SpanStatusCode, trace, type Attributes, type Tracer } from '@opentelemetry/api'
import type { Progress, Run } from '../sync-run.ts'

/** In the order in which a run goes through them. */
const PHASES: readonly Progress['phase'][] = [
  'planning',
  'pulling',
  'verifying',
  'comparing',
  'rendering',
  'publishing',
]

/**
 * One span for the part of a run that was done here, and below it one for each phase. They are made when it is over,
 * from the times it recorded: work is done in threads that know nothing of this.
 */
export function tellRun(tracer: Tracer, run: Run, at: number): void {
  const to = run.finishedAt ?? at
  const phases = PHASES.flatMap((phase) => {
    const ms = run.timings?.[phase]
    return ms === undefined ? [] : [{ phase, ms }]
  })
  const worked = phases.reduce((sum, { ms }) => sum + ms, 0)
  // What was done before an interruption was told by whoever did it.
  const from = run.resumes > 0 || run.startedAt === null ? to - worked : Math.min(run.startedAt, to - worked)

  const span = tracer.startSpan(`sync ${run.source}`, { startTime: from, attributes: attributesOf(run) }, ROOT_CONTEXT)
  const within = trace.setSpan(ROOT_CONTEXT, span)
  // Each phase began when the one before ended, and the last ended with the run.
  let began = to - worked
  for (const { phase, ms } of phases) {
    tracer.startSpan(phase, { startTime: began, attributes: { 'holdfast.source': run.source } }, within).end(began + ms)
    began += ms
  }
  if (run.error !== null) {
    span.setAttribute('error.type', run.error.code)
    span.setStatus({ code: SpanStatusCode.ERROR })
  }
  span.end(to)
}

function attributesOf(run: Run): Attributes {
  const tables = run.progress?.tables ?? []
  return {
    'holdfast.source': run.source,
    'holdfast.run': run.id,
    'holdfast.run.trigger': run.trigger,
    'holdfast.run.status': run.status,
    'holdfast.run.resumes': run.resumes,
    'holdfast.run.rows': tables.reduce((sum, { completed }) => sum + completed, 0),
    ...(run.result !== null && { 'holdfast.run.result': run.result }),
    ...(run.snapshot !== null && { 'holdfast.snapshot': run.snapshot }),
  }
}
