import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

const SUPERVISE = new URL('../../scripts/supervise.ts', import.meta.url).pathname
const root = mkdtempSync(join(tmpdir(), 'holdfast-supervise-'))
after(() => rmSync(root, { recursive: true, force: true }))

let files = 0
function script(text: string): string {
  const path = join(root, `child-${++files}.mjs`)
  writeFileSync(path, text)
  return path
}

const steady = (name: string) =>
  script(`process.on('SIGTERM', () => { console.log('${name} drained'); process.exit(0) })
    console.log('${name} is up', process.pid, process.env.SYNC_IN_SERVER)
    setInterval(() => {}, 1000)`)
const deaf = (name: string) =>
  script(`process.on('SIGTERM', () => {})
    console.log('${name} is up', process.pid)
    setInterval(() => {}, 1000)`)
const ending = (code: number) => script(`console.log('starts'); setTimeout(() => process.exit(${code}), 50)`)

/** Runs the supervisor; `output` grows as it prints. */
function supervise(server: string, worker: string) {
  const running = spawn(process.execPath, [SUPERVISE, server, worker], { stdio: ['ignore', 'pipe', 'pipe'] })
  const state = { output: '' }
  for (const stream of [running.stdout, running.stderr])
    stream.on('data', (chunk: Buffer) => (state.output += chunk.toString()))
  const done = once(running, 'close').then(([code]) => code as number | null)
  const sees = async (pattern: RegExp) => {
    for (let waited = 0; waited < 15_000; waited += 20) {
      if (pattern.test(state.output)) return
      await sleep(20)
    }
    assert.fail(`never saw ${String(pattern)} in:\n${state.output}`)
  }
  return { running, done, sees, state, [Symbol.dispose]: () => void running.kill('SIGKILL') }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const count = (text: string, word: string) => text.split(word).length - 1

describe('the supervisor', () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`hands ${signal} to both, waits, and ends with the server's code`, async () => {
      const listen = (name: string) =>
        script(`for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => { console.log('${name} drained by', signal); process.exit(0) })
          console.log('${name} is up')
          setInterval(() => {}, 1000)`)
      using parent = supervise(listen('server'), listen('worker'))
      await parent.sees(/server is up[^]*worker is up|worker is up[^]*server is up/)

      parent.running.kill(signal)

      assert.equal(await parent.done, 0)
      assert.equal(count(parent.state.output, `server drained by ${signal}`), 1)
      assert.equal(count(parent.state.output, `worker drained by ${signal}`), 1)
    })
  }

  test('leaves syncing to the worker', async () => {
    using parent = supervise(steady('server'), steady('worker'))
    await parent.sees(/server is up \d+ false/)
    parent.running.kill('SIGTERM')
    await parent.done
  })

  test('starts a worker that crashed again, later each time, and leaves the server alone', async () => {
    using parent = supervise(steady('server'), ending(1))
    await parent.sees(/(?:starts[^]*){3}/)
    parent.running.kill('SIGTERM')

    assert.equal(await parent.done, 0)
    const waits = [...parent.state.output.matchAll(/worker ended with 1; it is started again in (\d+) ms/g)].map(
      ([, ms]) => Number(ms),
    )
    assert.ok(waits.length >= 2)
    assert.ok(waits[0]! >= 125 && waits[0]! <= 250, String(waits))
    assert.ok(waits[1]! >= 250 && waits[1]! <= 500, String(waits))
    assert.equal(count(parent.state.output, 'server is up'), 1)
  })

  test('starts a server that was killed again', async () => {
    using parent = supervise(steady('server'), steady('worker'))
    await parent.sees(/server is up \d+/)
    process.kill(Number(/server is up (\d+)/.exec(parent.state.output)?.[1]), 'SIGKILL')
    await parent.sees(/server was ended by SIGKILL[^]*server is up/)
    parent.running.kill('SIGTERM')
    assert.equal(await parent.done, 0)
  })

  for (const code of [0, 78]) {
    test(`ends with ${code} when the server does, taking the worker along`, async () => {
      using parent = supervise(ending(code), steady('worker'))
      assert.equal(await parent.done, code)
      assert.equal(count(parent.state.output, 'starts'), 1)
    })
  }

  test('kills who does not end, and is gone itself in less than ten seconds', async () => {
    using parent = supervise(deaf('server'), deaf('worker'))
    await parent.sees(/server is up \d+[^]*worker is up \d+|worker is up \d+[^]*server is up \d+/)
    const pids = [...parent.state.output.matchAll(/is up (\d+)/g)].map(([, pid]) => Number(pid))

    const asked = performance.now()
    parent.running.kill('SIGTERM')

    assert.equal(await parent.done, 137)
    assert.ok(performance.now() - asked < 10_000)
    assert.deepEqual(pids.map(isAlive), [false, false])
  })
})
