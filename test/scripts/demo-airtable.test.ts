import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync } from 'node:fs'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { until } from '../support/holdfast.ts'
import { tempFolder } from '../support/temp.ts'

const SCRIPT = fileURLToPath(new URL('../../scripts/demo-airtable.ts', import.meta.url))

/** The demo, with a folder of its own for what it leaves lying about. */
function startDemo(...args: string[]) {
  const folder = tempFolder()
  const temp = folder.file('tmp')
  mkdirSync(temp)
  const env = { PATH: process.env.PATH, TMPDIR: temp }
  const child = spawn(process.execPath, [SCRIPT, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals)
  return {
    child,
    ended,
    output: () => output,
    leftovers: () => readdirSync(temp).filter((name) => name.startsWith('holdfast-demo-')),
    [Symbol.asyncDispose]: async () => {
      // Holdfast is in a group of its own: it ends with the demo, which therefore must not be killed.
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
      await ended
      folder[Symbol.dispose]()
    },
  }
}

describe('the Airtable demo', () => {
  test('mirrors a base, sees what is changed in it, and says how to ask for it', async () => {
    await using demo = startDemo('--records', '60', '--every', '0.1', '--changes', '3')
    const [, url = '', key = ''] = await until(() => /Holdfast {2}(\S+), with the key (\w+)/.exec(demo.output()), {
      what: () => `an introduction; it printed ${demo.output()}`,
      gaveUp: demo.ended,
    })
    const ask = async (path: string) => {
      const answer = await fetch(url + path, { headers: { 'X-API-Key': key } })
      return answer.status === 200 ? ((await answer.json()) as { records: object[] }) : undefined
    }
    const listed = await until(() => ask('/api/tables/Orders?pageSize=3').catch(() => undefined), {
      what: () => `a list of orders; it printed ${demo.output()}`,
      gaveUp: demo.ended,
    })
    assert.equal(listed.records.length, 3)
    assert.equal(await demo.ended, 0, demo.output())
    assert.equal(demo.output().match(/: read from Holdfast \d+ ms later/g)?.length, 3, demo.output())
    assert.deepEqual(demo.leftovers(), [])
  })

  test('ends cleanly at Ctrl-C, whatever it is doing, and leaves nothing behind', async () => {
    await using demo = startDemo('--records', '5000')
    await until(() => demo.output().includes('curl -N'), { what: 'an introduction', gaveUp: demo.ended })
    assert.equal(demo.leftovers().length, 1)
    demo.child.kill('SIGINT')
    assert.equal(await demo.ended, 0, demo.output())
    assert.deepEqual(demo.leftovers(), [])
  })

  test('says what is wrong with its options', async () => {
    await using demo = startDemo('--every', 'often')
    assert.equal(await demo.ended, 2)
    assert.match(demo.output(), /--every must be a number above 0; found often/)
  })
})
