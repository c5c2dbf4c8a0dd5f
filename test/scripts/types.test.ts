import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'
import { typeText } from '../../lib/type-text.ts'
import { TestSite, wares } from '../sqlite/site.ts'
import { everything } from '../support/everything.ts'
import { tempFolder } from '../support/temp.ts'

const TYPES = new URL('../../scripts/types.ts', import.meta.url).pathname

/** Without a configuration the one source is the sample: `cities`. */
async function run(dataDir: string, args: readonly string[] = []) {
  using cwd = tempFolder()
  const env = { PATH: process.env.PATH ?? '', DATA_DIR: dataDir }
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [TYPES, ...args], { cwd: cwd.path, env })
    return { code: 0, stdout, stderr }
  } catch (error) {
    return error as { code: number; stdout: string; stderr: string }
  }
}

describe('scripts/types.ts', () => {
  test('writes the types of what is published, without a server', async () => {
    using site = new TestSite({ sources: ['cities'] })
    await site.sync(wares([{ sku: 1 }], { name: 'cities' }), { source: 'cities' })
    const [table] = site.pointer('cities').tables
    const expected = typeText([{ name: 'cities', source: 'cities', table: table! }])
    assert.deepEqual(await run(site.dataDir), { code: 0, stdout: expected, stderr: '' })
    using out = tempFolder()
    assert.deepEqual(await run(site.dataDir, ['--out', out.file('types.ts')]), { code: 0, stdout: '', stderr: '' })
    assert.equal(readFileSync(out.file('types.ts'), 'utf8'), expected)
  })

  test('knows what the upstream calls tables and fields', async () => {
    using site = new TestSite({ sources: ['cities'] })
    const table = everything('Orders', { id: 'tblOrders' })
    await site.sync({ identity: 'base', tables: [table] }, { source: 'cities' })
    const [published] = site.pointer('cities').tables
    const expected = typeText([{ name: 'Orders', source: 'cities', table: published!, origin: table.origin }])
    assert.match(expected, /AirtableAttachment\[\]/)
    assert.equal((await run(site.dataDir)).stdout, expected)
  })

  test('says so where nothing is published, and where it is not well called', async () => {
    using empty = tempFolder()
    using out = tempFolder()
    writeFileSync(out.file('types.ts'), 'what was there')
    const nothing = await run(empty.path, ['--out', out.file('types.ts')])
    assert.equal(nothing.code, 1)
    assert.match(nothing.stderr, /nothing is published/)
    assert.ok(nothing.stderr.includes(`${empty.path} yet, of cities.`))
    assert.equal(readFileSync(out.file('types.ts'), 'utf8'), 'what was there')
    const wrong = await run(empty.path, ['--into', 'x'])
    assert.equal(wrong.code, 2)
    assert.match(wrong.stderr, /Usage/)
  })
})
