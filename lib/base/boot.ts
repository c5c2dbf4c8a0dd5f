import { readFileSync } from 'node:fs'
import { uptime } from 'node:os'

/**
 * Names the time since this machine last started. What was written but not synced under one name may be lost under
 * another; a process that was merely killed loses nothing of it.
 */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    // Elsewhere: the minute the machine was started in. A clock that was set in between only costs a fresh start.
    return `started-${Math.round((Date.now() / 1000 - uptime()) / 60)}`
  }
}
