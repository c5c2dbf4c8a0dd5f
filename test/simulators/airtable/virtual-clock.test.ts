import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ScaledClock } from '../../../simulators/airtable/scaled-clock.ts'
import { START_AT, VirtualClock } from '../../../simulators/airtable/virtual-clock.ts'

const turns = async (count: number) => {
  for (let turn = 0; turn < count; turn += 1) {
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
  }
}

describe('the virtual clock', () => {
  test('goes on by itself to whoever waits next, and wakes all in the order of their moments', async () => {
    const clock = new VirtualClock()
    const woken: string[] = []
    const wake = async (name: string, ms: number) => {
      await clock.sleep(ms)
      woken.push(`${name} at ${clock.monotonic()}`)
    }

    await Promise.all([wake('last', 86_400_000), wake('second', 20), wake('first', 10), wake('third', 20)])

    assert.deepEqual(woken, ['first at 10', 'second at 20', 'third at 20', 'last at 86400000'])
    assert.equal(clock.now(), START_AT + 86_400_000)
  })

  test('who is woken acts before the next one is: its sleep counts from the moment it was woken at', async () => {
    const clock = new VirtualClock()
    const woken: number[] = []
    const pace = async (steps: number, ms: number) => {
      for (let step = 0; step < steps; step += 1) {
        await clock.sleep(ms)
        woken.push(clock.monotonic())
      }
    }

    await Promise.all([pace(3, 100), pace(5, 70)])

    assert.deepEqual(woken, [70, 100, 140, 200, 210, 280, 300, 350])
  })

  test('stands still while somebody holds it', async () => {
    const clock = new VirtualClock()
    const hold = clock.hold()
    const sleeper = clock.sleep(1000)
    await turns(100)
    assert.equal(clock.monotonic(), 0)

    hold[Symbol.dispose]()
    hold[Symbol.dispose]()
    await sleeper

    assert.equal(clock.monotonic(), 1000)
  })

  test('time that a server sleeps passes although the client of that request holds, but no other hold', async () => {
    const clock = new VirtualClock()
    const client = clock.hold()
    using service = clock.serve()
    await service.sleep(50)
    assert.equal(clock.monotonic(), 50)

    const other = clock.hold()
    const slept = service.sleep(50)
    await turns(100)
    assert.equal(clock.monotonic(), 50)

    other[Symbol.dispose]()
    await slept
    assert.equal(clock.monotonic(), 100)
    client[Symbol.dispose]()
  })

  test('a service that works holds it; one that has nothing more to do for its client does not', async () => {
    const clock = new VirtualClock()
    using service = clock.serve()
    const deadline = clock.sleep(30_000)
    await turns(100)
    assert.equal(clock.monotonic(), 0)

    using client = clock.hold()
    using idle = service.idle()
    await deadline

    assert.equal(clock.monotonic(), 30_000)
    assert.ok(client !== idle)
  })

  test('a sleep ends at once when its signal aborts, and leaves nothing behind', async () => {
    const clock = new VirtualClock()
    using _still = clock.hold()
    const controller = new AbortController()
    const sleeper = clock.sleep(1000, controller.signal)
    assert.equal(clock.sleeping, 1)

    controller.abort()
    await sleeper
    await clock.sleep(1000, controller.signal)

    assert.equal(clock.sleeping, 0)
    assert.equal(clock.monotonic(), 0)
  })

  test('the wall clock can be set: monotonic time and sleepers do not notice', async () => {
    const clock = new VirtualClock()
    const sleeper = clock.sleep(1000)
    clock.jump(-3_600_000)
    await sleeper

    assert.equal(clock.monotonic(), 1000)
    assert.equal(clock.now(), START_AT + 1000 - 3_600_000)
  })

  test('can be moved by hand alone', async () => {
    const clock = new VirtualClock({ isAutomatic: false })
    const woken: number[] = []
    const pace = async () => {
      for (;;) {
        await clock.sleep(400)
        woken.push(clock.monotonic())
      }
    }
    void pace()
    await turns(100)
    assert.deepEqual(woken, [])

    await clock.advance(1000)

    assert.deepEqual(woken, [400, 800])
    assert.equal(clock.monotonic(), 1000)
  })
})

test('a scaled clock lets a virtual hour pass in the time it is told to, and can be set', async () => {
  const clock = new ScaledClock({ speed: 360_000, startAt: 0 })
  const began = clock.monotonic()
  await clock.sleep(3_600_000)
  const elapsed = clock.monotonic() - began
  clock.jump(-1_000_000_000)

  assert.ok(elapsed >= 3_600_000, `only ${elapsed} ms passed`)
  assert.ok(clock.now() < 0, 'the wall clock was not set back')
})
