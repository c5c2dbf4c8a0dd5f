/**
 * A process that calls an upstream as fast as the limiter lets it, from several cursors, each over a connection of its
 * own. Arguments: path of `control.sqlite`, URL of the upstream, number of cursors. A call says when it was sent.
 */
import { Agent, get } from 'node:http'
import { text } from 'node:stream/consumers'
import { systemClock } from '../../lib/base/clock.ts'
import { callLimiters } from '../../lib/sqlite/call-limiter.ts'
import { ControlDatabase } from '../../lib/sqlite/control-database.ts'

const [path = '', url = '', cursors] = process.argv.slice(2)
const limiter = callLimiters(new ControlDatabase(path, systemClock))(
  [
    { account: 'base', calls: 5, windowMs: 1000 },
    { account: 'token', calls: 50, windowMs: 1000 },
  ],
  { account: 'plan', calls: null },
)

async function follow(): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const { signal } = new AbortController()
  await request(agent, '/open')
  for (;;) {
    await limiter.slot(signal)
    await request(agent, `/call?process=${process.pid}&sent=${systemClock.monotonic()}`)
  }
}

function request(agent: Agent, target: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get(`${url}${target}`, { agent }, (answer) => void text(answer).then(resolve, reject)).on('error', reject)
  })
}

await Promise.all(Array.from({ length: Number(cursors) }, follow))
