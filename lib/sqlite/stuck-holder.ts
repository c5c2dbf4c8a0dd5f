import { readFileSync, statSync } from 'node:fs'
import { hostname } from 'node:os'

/** A name for this process among all that share a data directory, and what it tells of the process. */
export interface HolderName {
  readonly host: string
  readonly pid: number
  /** When the process began, as the kernel counts it: pids are given out again. */
  readonly startedAt: string
}

export function holderName(): string {
  return `${hostname()}:${process.pid}:${startOf(process.pid) ?? process.hrtime.bigint().toString(36)}`
}

/**
 * Ends a holder that was stopped (SIGSTOP) inside a write transaction: it would keep everybody from ever taking a
 * lease again. Only a process that the kernel says is stopped, that holds the write lock of this very file, and whose
 * lease has run out; being killed there is something it must survive anyway. Linux only, and within one host; true if
 * one was ended.
 */
export function endStuckHolder(controlPath: string, expiredHolders: readonly string[]): boolean {
  const holders = expiredHolders.map(parseHolder).filter((holder) => holder?.host === hostname())
  for (const holder of holders) {
    if (holder === undefined || holder.pid === process.pid || startOf(holder.pid) !== holder.startedAt) continue
    if (stateOf(holder.pid) !== 'T' || !holdsLock(holder.pid, `${controlPath}-shm`)) continue
    process.kill(holder.pid, 'SIGKILL')
    return true
  }
  return false
}

function parseHolder(name: string): HolderName | undefined {
  const [startedAt, pid, ...host] = name.split(':').toReversed()
  if (startedAt === undefined || pid === undefined) return undefined
  return { host: host.toReversed().join(':'), pid: Number(pid), startedAt }
}

/** Fields of `/proc/<pid>/stat` behind the name, which may hold anything. See proc_pid_stat(5). */
function statOf(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}

function stateOf(pid: number): string | undefined {
  return statOf(pid)?.[0]
}

function startOf(pid: number): string | undefined {
  return statOf(pid)?.[19]
}

/** Whether the process has an exclusive POSIX lock on the file. See proc_locks(5). */
function holdsLock(pid: number, path: string): boolean {
  const { ino } = statSync(path)
  return readFileSync('/proc/locks', 'utf8')
    .split('\n')
    .some((line) => new RegExp(`POSIX +\\S+ +WRITE ${pid} \\S+:${ino} `).test(line))
}
