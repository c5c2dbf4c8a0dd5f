import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  type Sampler,
} from '@opentelemetry/sdk-trace'

export type Env = Readonly<Record<string, string | undefined>>

/** The sampler that `OTEL_TRACES_SAMPLER` and its argument name; by default all that the caller did not leave out. */
export function samplerOf(env: Env, onTrouble: (message: string) => void): Sampler {
  const name = env.OTEL_TRACES_SAMPLER?.trim().toLowerCase() || 'parentbased_always_on'
  const root = rootOf(name.replace(/^parentbased_/, ''), () => ratioOf(env, onTrouble))
  if (root === undefined) {
    onTrouble(`OTEL_TRACES_SAMPLER is not one that is known here (${name.slice(0, 100)}): everything is sampled`)
    return new ParentBasedSampler({ root: new AlwaysOnSampler() })
  }
  return name.startsWith('parentbased_') ? new ParentBasedSampler({ root }) : root
}

function rootOf(name: string, ratio: () => number): Sampler | undefined {
  switch (name) {
    case 'always_on':
      return new AlwaysOnSampler()
    case 'always_off':
      return new AlwaysOffSampler()
    case 'traceidratio':
      return new TraceIdRatioBasedSampler(ratio())
    default:
      return undefined
  }
}

function ratioOf(env: Env, onTrouble: (message: string) => void): number {
  const text = env.OTEL_TRACES_SAMPLER_ARG?.trim() || '1'
  const ratio = Number(text)
  if (ratio >= 0 && ratio <= 1) return ratio
  onTrouble(`OTEL_TRACES_SAMPLER_ARG is not a number from 0 to 1 (${text.slice(0, 100)}): everything is sampled`)
  return 1
}
