import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { Failure } from '../errors.ts'
import { isUsableKey } from './variables.ts'

const FILE_NAME = 'api-key'
const KEY_BITS = 256

/**
 * The key kept in the data directory, made on first use: readable by its owner only. `created` says whether it was
 * this call that made it, so that it is shown once; of processes that start together, one makes the key and all
 * others read it, whole.
 *
 * @throws Failure `disk_failed`; `config_invalid` when the file holds something that cannot be a key
 */
export function ensureApiKey(dataDir: string): { key: string; created: boolean } {
  const path = join(dataDir, FILE_NAME)
  try {
    mkdirSync(dataDir, { recursive: true })
    return read(path) ?? create(path) ?? read(path) ?? refuse()
  } catch (error) {
    if (error instanceof Failure) throw error
    const { code } = error as NodeJS.ErrnoException
    const message = `The API key cannot be kept in the data directory (${code}). Make it writable, or set API_KEY.`
    throw new Failure('disk_failed', message, { cause: error })
  }
}

function read(path: string): { key: string; created: false } | undefined {
  let key: string
  try {
    key = readFileSync(path, 'utf8').trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  return isUsableKey(key) ? { key, created: false } : refuse()
}

/** Undefined when another process was first. The file appears under its name only when it is whole. */
function create(path: string): { key: string; created: true } | undefined {
  const key = `hf_${randomBytes(KEY_BITS / 8).toString('base64url')}`
  const draft = `${path}.${process.pid}-${randomBytes(4).toString('hex')}`
  try {
    const descriptor = openSync(draft, 'wx', 0o600)
    try {
      writeSync(descriptor, `${key}\n`)
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    linkSync(draft, path)
    return { key, created: true }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined
    throw error
  } finally {
    rmSync(draft, { force: true })
  }
}

function refuse(): never {
  const message = `The file ${FILE_NAME} in the data directory holds no usable key. Remove it to get a new one, or set API_KEY.`
  throw new Failure('config_invalid', message)
}
