/**
 * Runs the server and the sync worker side by side where one container owns the disk that both need:
 * `node scripts/supervise.ts [server] [worker]`. Whoever crashes is started again, later each time; when the server
 * ends on purpose, everything ends with its code.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'

/** Together less than the ten seconds that a platform usually leaves between SIGTERM and SIGKILL. */
const DRAIN_MS = 8500
const FIRST_WAIT_MS = 250
const LONGEST_WAIT_MS = 30_000
/** Whoever ran this long is well again: its next crash is waited for as the first. */
const STEADY_MS = 60_000
/** An end on purpose: done, not well configured, or asked by SIGINT or SIGTERM. */
const FINAL_CODES = new Set([0, 78, 130, 143])

interface Child {
  readonly name: string
  readonly path: string
  readonly env: NodeJS.ProcessEnv
  process: ChildProcess | undefined
  startedAt: number
  crashes: number
  timer: NodeJS.Timeout | undefined
}

const entry = (given: string | undefined, path: string) => given ?? fileURLToPath(new URL(path, import.meta.url))
const server = newChild('server', entry(process.argv[2], '../server.ts'), { ...process.env, SYNC_IN_SERVER: 'false' })
const worker = newChild('worker', entry(process.argv[3], '../sync-worker.ts'), process.env)
const children = [server, worker]
let isEnding = false
let exitCode = 0

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => end(signal))
for (const child of children) start(child)

function newChild(name: string, path: string, env: NodeJS.ProcessEnv): Child {
  return { name, path, env, process: undefined, startedAt: 0, crashes: 0, timer: undefined }
}

function start(child: Child): void {
  child.startedAt = performance.now()
  // A group of its own: Ctrl-C reaches the child through us alone, not twice.
  const options: SpawnOptions = { env: child.env, stdio: ['ignore', 'inherit', 'inherit'], detached: true }
  const running = spawn(process.execPath, [child.path], options)
  child.process = running
  running.once('error', (error) => ended(child, running, 1, `could not be started (${error.message})`))
  running.once('exit', (code, signal) => {
    if (signal === null) ended(child, running, code ?? 1, `ended with ${code}`)
    else ended(child, running, 128 + constants.signals[signal], `was ended by ${signal}`)
  })
}

function ended(child: Child, running: ChildProcess, code: number, how: string): void {
  if (child.process !== running) return
  child.process = undefined
  if (isEnding) {
    if (child === server) exitCode = code
    return exitWhenAlone()
  }
  // A configuration that one of them cannot use, the other would not take either.
  if (code === 78 || (child === server && FINAL_CODES.has(code))) {
    say(`the ${child.name} ${how}, and everything with it`)
    exitCode = code
    return end('SIGTERM')
  }
  startAgain(child, how)
}

function startAgain(child: Child, how: string): void {
  child.crashes = performance.now() - child.startedAt > STEADY_MS ? 1 : child.crashes + 1
  const longest = Math.min(FIRST_WAIT_MS * 2 ** (child.crashes - 1), LONGEST_WAIT_MS)
  const wait = Math.round(longest * (0.5 + Math.random() / 2))
  say(`the ${child.name} ${how}; it is started again in ${wait} ms`)
  child.timer = setTimeout(() => start(child), wait)
}

function end(signal: NodeJS.Signals): void {
  if (isEnding) return
  isEnding = true
  for (const child of children) {
    clearTimeout(child.timer)
    child.process?.kill(signal)
  }
  setTimeout(killRest, DRAIN_MS)
  exitWhenAlone()
}

function killRest(): void {
  for (const child of children) {
    if (child.process === undefined) continue
    say(`the ${child.name} did not end in time and is killed`)
    child.process.kill('SIGKILL')
  }
}

/** With the code of the server: 0 when it ended as it was asked to. */
function exitWhenAlone(): void {
  if (children.every((child) => child.process === undefined)) process.exit(exitCode)
}

function say(sentence: string): void {
  console.error(`supervise: ${sentence}`)
}
