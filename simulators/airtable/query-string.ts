import { isObject, type Json } from './json.ts'

/** `fields[]=a&sort[0][field]=b` as what a JSON body would have; values stay texts. */
export function parseQuery(query: string): Record<string, Json> {
  const parsed: Record<string, Json> = {}
  for (const [key, value] of new URLSearchParams(query)) {
    const [, name = key, path = ''] = /^([^[\]]+)((?:\[[^[\]]*\])*)$/.exec(key) ?? []
    const steps = [...path.matchAll(/\[([^[\]]*)\]/g)].map(([, step = '']) => step)
    if (steps.length === 0) parsed[name] = value
    else parsed[name] = put(parsed[name], steps, value)
  }
  return parsed
}

function put(into: Json | undefined, [step = '', ...rest]: readonly string[], value: string): Json {
  if (step === '' || /^\d+$/.test(step)) {
    const list: Json[] = Array.isArray(into) ? [...(into as readonly Json[])] : []
    // An index may not make a list of millions.
    const at = step === '' ? list.length : Math.min(Number(step), list.length)
    list[at] = rest.length === 0 ? value : put(list[at], rest, value)
    return list
  }
  const members = isObject(into) ? into : {}
  return { ...members, [step]: rest.length === 0 ? value : put(members[step], rest, value) }
}
