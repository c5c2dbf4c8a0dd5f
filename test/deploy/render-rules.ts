/** Render's documented rules for a Blueprint, as far as a file of services can break them. Works without a network. */

type Fields = Readonly<Record<string, unknown>>
type Report = (place: string, message: string) => void

const SERVICE_TYPES = ['web', 'worker', 'pserv', 'cron', 'keyvalue']
const RUNTIMES = ['node', 'python', 'ruby', 'go', 'rust', 'elixir', 'docker', 'image', 'static']
const ROOT_KEYS = ['services', 'databases', 'envVarGroups', 'projects', 'ungrouped', 'previews']
const SHARED_KEYS = ['type', 'name', 'plan', 'region', 'previews', 'ipAllowList']
const BUILD_KEYS = ['runtime', 'repo', 'branch', 'rootDir', 'buildFilter', 'buildCommand', 'startCommand', 'envVars']
const IMAGE_KEYS = ['dockerCommand', 'dockerfilePath', 'dockerContext', 'registryCredential', 'image']
const PROGRAM_KEYS = [...SHARED_KEYS, ...BUILD_KEYS, ...IMAGE_KEYS, 'autoDeployTrigger']
const STEADY_KEYS = [...PROGRAM_KEYS, 'preDeployCommand', 'numInstances', 'scaling', 'maxShutdownDelaySeconds', 'disk']
const KEYS: Readonly<Record<string, readonly string[]>> = {
  web: [
    ...STEADY_KEYS,
    'healthCheckPath',
    'domains',
    'renderSubdomainPolicy',
    'maintenanceMode',
    'staticPublishPath',
    'headers',
    'routes',
  ],
  worker: STEADY_KEYS,
  pserv: STEADY_KEYS,
  cron: [...PROGRAM_KEYS, 'schedule'],
  keyvalue: [...SHARED_KEYS, 'maxmemoryPolicy'],
}
const DEPRECATED: Readonly<Record<string, string>> = {
  env: 'is now `runtime`',
  autoDeploy: 'is now `autoDeployTrigger`',
  pullRequestPreviewsEnabled: 'is now `previews.generation`',
}
const FORBIDDEN_MOUNTS = [
  '/',
  '/opt',
  '/opt/render',
  '/opt/render/project',
  '/opt/render/project/src',
  '/etc',
  '/home',
  '/home/render',
]
const PROPERTIES = ['host', 'port', 'hostport']
const VALUE_SHAPES = ['value', 'generateValue', 'sync', 'fromService', 'fromDatabase'] as const

/** Everything that Render would refuse, or take and not do; empty for a good file. */
export function lintBlueprint(document: unknown): string[] {
  const problems: string[] = []
  const report: Report = (place, message) => problems.push(`${place}: ${message}`)
  if (!isFields(document)) return ['file: must be a mapping']
  for (const key of Object.keys(document)) {
    if (!ROOT_KEYS.includes(key)) report('file', `has an unknown key \`${key}\``)
  }
  const services = list(document['services'], 'services', report)
  const names = new Map<string, Fields>()
  for (const service of services) {
    const name = service['name']
    if (typeof name !== 'string' || name === '') report('services', 'has one without a name')
    else if (names.has(name)) report(name, 'is the name of two services')
    else names.set(name, service)
  }
  for (const [name, service] of names) lintService(name, service, names, report)
  lintGroups(document['envVarGroups'], report)
  return problems
}

function lintService(name: string, service: Fields, services: ReadonlyMap<string, Fields>, report: Report): void {
  const type = typeof service['type'] === 'string' ? service['type'] : ''
  if (type === 'redis') return report(name, 'type `redis` is now `keyvalue`')
  const keys = KEYS[type]
  if (keys === undefined)
    return report(name, `has type ${JSON.stringify(service['type'])}, not one of ${SERVICE_TYPES.join(', ')}`)
  for (const key of Object.keys(service)) {
    if (DEPRECATED[key] !== undefined) report(name, `\`${key}\` ${DEPRECATED[key]}`)
    else if (!keys.includes(key)) report(name, `\`${key}\` is not known for type ${type}`)
  }
  if (type === 'keyvalue') {
    if (!Array.isArray(service['ipAllowList'])) report(name, 'needs an `ipAllowList`, `[]` for private use only')
    return
  }
  lintProgram(name, service, report)
  if (type === 'cron') lintSchedule(name, service['schedule'], report)
  lintHealthCheck(name, service['healthCheckPath'], report)
  lintShutdown(name, service['maxShutdownDelaySeconds'], report)
  lintDisk(name, type, service, report)
  for (const [index, entry] of list(service['envVars'] ?? [], `${name}.envVars`, report).entries()) {
    lintVariable(`${name}.envVars[${index}]`, entry, services, report)
  }
  lintRepeats(name, service['envVars'], report)
}

function lintProgram(name: string, service: Fields, report: Report): void {
  const runtime = service['runtime']
  if (typeof runtime !== 'string') {
    if (service['env'] === undefined) report(name, 'needs a `runtime`')
  } else if (!RUNTIMES.includes(runtime))
    report(name, `has runtime ${JSON.stringify(runtime)}, not one of ${RUNTIMES.join(', ')}`)
  else if (!['docker', 'image', 'static'].includes(runtime)) {
    for (const key of ['buildCommand', 'startCommand']) {
      if (typeof service[key] !== 'string' || service[key] === '') report(name, `needs a \`${key}\``)
    }
  }
  const trigger = service['autoDeployTrigger']
  if (trigger !== undefined && !['commit', 'checksPass', 'off'].some((known) => known === trigger)) {
    report(name, '`autoDeployTrigger` is commit, checksPass or off (quoted: a bare off is false)')
  }
  if (service['plan'] === 'free' && service['type'] !== 'web')
    report(name, `type ${String(service['type'])} has no free plan`)
}

function lintSchedule(name: string, schedule: unknown, report: Report): void {
  const bounds = [[0, 59], [0, 23], [1, 31], [1, 12], [0, 7]] as const // prettier-ignore
  const fields = typeof schedule === 'string' ? schedule.trim().split(/\s+/) : []
  const fits =
    fields.length === bounds.length && bounds.every(([low, high], index) => isCronField(fields[index] ?? '', low, high))
  if (!fits) report(name, 'needs a `schedule`: a cron expression of five fields')
}

function isCronField(field: string, low: number, high: number): boolean {
  return field.split(',').every((part) => {
    const match = /^(?:\*|(\d+)(?:-(\d+))?)(?:\/(\d+))?$/.exec(part)
    if (match === null) return false
    const [from = low, to = from, step = 1] = match
      .slice(1)
      .map((text) => (text === undefined ? undefined : Number(text)))
    return from >= low && to <= high && from <= to && step >= 1
  })
}

function lintHealthCheck(name: string, path: unknown, report: Report): void {
  if (path !== undefined && !(typeof path === 'string' && path.startsWith('/')))
    report(name, '`healthCheckPath` starts with /')
}

function lintShutdown(name: string, delay: unknown, report: Report): void {
  const isFine = delay === undefined || (Number.isInteger(delay) && Number(delay) >= 1 && Number(delay) <= 300)
  if (!isFine) report(name, '`maxShutdownDelaySeconds` is 1 to 300')
}

function lintDisk(name: string, type: string, service: Fields, report: Report): void {
  const disk = service['disk']
  if (disk === undefined || type === 'cron') return
  if (!isFields(disk)) return report(name, '`disk` must be a mapping')
  if (service['plan'] === 'free' || service['plan'] === undefined) report(name, 'needs a paid `plan` to have a disk')
  if (service['runtime'] === 'static') report(name, 'is static, which has no disk')
  if (Number(service['numInstances'] ?? 1) !== 1) report(name, 'has a disk, so exactly one instance')
  if (service['scaling'] !== undefined) report(name, 'has a disk, so no autoscaling')
  for (const key of Object.keys(disk)) {
    if (!['name', 'mountPath', 'sizeGB'].includes(key)) report(name, `\`disk.${key}\` is not known`)
  }
  if (typeof disk['name'] !== 'string') report(name, '`disk` needs a name')
  const mount = disk['mountPath']
  if (typeof mount !== 'string' || !mount.startsWith('/')) report(name, '`disk.mountPath` is an absolute path')
  else if (FORBIDDEN_MOUNTS.includes(mount.replace(/(?<=.)\/+$/, '')))
    report(name, `\`disk.mountPath\` cannot be ${mount}`)
  const size = disk['sizeGB']
  if (size !== undefined && !(Number.isInteger(size) && Number(size) >= 1))
    report(name, '`disk.sizeGB` is a whole number from 1')
}

function lintVariable(place: string, entry: Fields, services: ReadonlyMap<string, Fields>, report: Report): void {
  if ('fromGroup' in entry) {
    if (Object.keys(entry).length > 1) report(place, '`fromGroup` stands alone')
    return
  }
  if (typeof entry['key'] !== 'string' || !/^[A-Za-z_]\w*$/.test(entry['key']))
    report(place, 'needs a `key` that is a name')
  const shapes = VALUE_SHAPES.filter((shape) => shape in entry)
  if (shapes.length !== 1) report(place, `needs exactly one of ${VALUE_SHAPES.join(', ')}`)
  for (const key of Object.keys(entry)) {
    if (key !== 'key' && !VALUE_SHAPES.some((shape) => shape === key)) report(place, `\`${key}\` is not known`)
  }
  if ('value' in entry) lintValue(place, entry['value'], report)
  if ('generateValue' in entry && entry['generateValue'] !== true) report(place, '`generateValue` is true')
  if ('sync' in entry && entry['sync'] !== false) report(place, '`sync` is false')
  if ('fromService' in entry) lintReference(place, entry['fromService'], services, report)
}

function lintValue(place: string, value: unknown, report: Report): void {
  if (typeof value !== 'string' && typeof value !== 'number')
    report(place, '`value` is text or a number; quote true, false and off')
  if (typeof value === 'string' && /\$\{|\$\(/.test(value))
    report(place, '`value` is taken as it is: nothing is inserted into it')
}

function lintReference(place: string, from: unknown, services: ReadonlyMap<string, Fields>, report: Report): void {
  if (!isFields(from)) return report(place, '`fromService` must be a mapping')
  for (const key of Object.keys(from)) {
    if (!['name', 'type', 'property', 'envVarKey'].includes(key)) report(place, `\`fromService.${key}\` is not known`)
  }
  const [property, variable] = [from['property'], from['envVarKey']]
  if ((property === undefined) === (variable === undefined))
    report(place, '`fromService` needs `property` or `envVarKey`, not both')
  const target = typeof from['name'] === 'string' ? services.get(from['name']) : undefined
  if (target === undefined)
    return report(place, `\`fromService\` names ${JSON.stringify(from['name'])}, which is not here`)
  if (target['type'] !== from['type']) report(place, `\`fromService.type\` is not that of ${String(from['name'])}`)

  const allowed = target['type'] === 'keyvalue' ? [...PROPERTIES, 'connectionString'] : PROPERTIES
  if (property !== undefined && !allowed.some((known) => known === property))
    report(place, `\`property\` is one of ${allowed.join(', ')}`)
  const isDeaf = target['type'] === 'worker' || target['type'] === 'cron' || target['plan'] === 'free'
  if (property !== undefined && isDeaf) report(place, `${String(from['name'])} cannot receive private-network traffic`)
  if (variable !== undefined) {
    const has =
      Array.isArray(target['envVars']) &&
      target['envVars'].some((entry) => isFields(entry) && entry['key'] === variable)
    if (!has) report(place, `${String(from['name'])} has no variable ${JSON.stringify(variable)}`)
  }
}

function lintRepeats(name: string, variables: unknown, report: Report): void {
  if (!Array.isArray(variables)) return
  const keys = variables.flatMap((entry) => (isFields(entry) && typeof entry['key'] === 'string' ? [entry['key']] : []))
  for (const key of new Set(keys.filter((each, index) => keys.indexOf(each) !== index)))
    report(name, `sets ${key} twice`)
}

function lintGroups(groups: unknown, report: Report): void {
  for (const group of list(groups ?? [], 'envVarGroups', report)) {
    for (const entry of list(group['envVars'] ?? [], 'envVarGroups', report)) {
      const isPlain = Object.keys(entry).every((key) => ['key', 'value', 'generateValue'].includes(key))
      if (!isPlain) report('envVarGroups', 'hold `value` or `generateValue` only')
    }
  }
}

function list(value: unknown, place: string, report: Report): Fields[] {
  if (!Array.isArray(value)) {
    report(place, 'must be a list')
    return []
  }
  return value.filter((entry, index) => {
    if (!isFields(entry)) report(`${place}[${index}]`, 'must be a mapping')
    return isFields(entry)
  })
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
