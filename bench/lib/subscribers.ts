import { writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { requestBytes, type Target } from './connection.ts'

/** Connections that are opened at once: more would only wait in the server's backlog. */
const OPENING = 200
const BUFFER_BYTES = 1 << 16
const END_OF_FRAME = '\n\n'

interface Batch {
  /** Epoch milliseconds. */
  readonly first: number
  last: number
  readonly bytes: number
  had: number
}

export interface Subscribed {
  readonly subscribers: number
  /** For each batch, in order: when the first and the last subscriber had it whole, its bytes, and how many had it. */
  readonly batches: readonly Readonly<Batch>[]
  /** Subscribers whose connection ended before they were told to leave. */
  readonly lost: number
  /** Batches that a subscriber had after a later one, or twice. */
  readonly outOfOrder: number
}

/**
 * Holds many event streams open and notes when each batch has reached them all. Writes `readyFile` when every one of
 * them has been told a position, and so is told of whatever is published from then on. Ends when stopped.
 */
export async function subscribe(
  options: { target: Target; subscribers: number; readyFile: string },
  signal: AbortSignal,
): Promise<Subscribed> {
  const { target } = options
  const request = requestBytes({ ...target, headers: { ...target.headers, accept: 'text/event-stream' } })
  const batches = new Map<string, Batch>()
  const sockets = new Set<Socket>()
  // What is read is looked at before the next one reads: one buffer is enough, and the cheapest.
  const shared = Buffer.allocUnsafe(BUFFER_BYTES)
  let lost = 0
  let outOfOrder = 0

  const open = () =>
    new Promise<void>((resolve) => {
      let text = ''
      let last = ''
      const callback = (length: number) => {
        text += shared.toString('latin1', 0, length)
        for (let end = text.indexOf(END_OF_FRAME); end !== -1; end = text.indexOf(END_OF_FRAME)) {
          const id = note(text.slice(0, end), last)
          text = text.slice(end + END_OF_FRAME.length)
          if (id === undefined) continue
          last = id
          resolve()
        }
        return true
      }
      const socket = connect({
        host: '127.0.0.1',
        port: target.port,
        noDelay: true,
        onread: { buffer: shared, callback },
      })
      socket.write(request)
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        if (!signal.aborted) lost++
        resolve()
      })
    })
  /** The id of a frame, if it has one. */
  const note = (frame: string, before: string): string | undefined => {
    const id = /^id: (.*)$/m.exec(frame)?.[1]
    if (id === undefined || !/^data: \{"type":"batch"/m.test(frame)) return id
    if (id <= before) outOfOrder++
    const now = performance.timeOrigin + performance.now()
    const batch = batches.get(id)
    if (batch === undefined) batches.set(id, { first: now, last: now, bytes: frame.length, had: 1 })
    else {
      batch.last = now
      batch.had++
    }
    return id
  }

  for (let opened = 0; opened < options.subscribers && !signal.aborted; opened += OPENING) {
    await Promise.all(Array.from({ length: Math.min(OPENING, options.subscribers - opened) }, open))
  }
  writeFileSync(options.readyFile, '')
  while (!signal.aborted) await sleep(20)
  const subscribers = sockets.size
  for (const socket of sockets) socket.destroy()
  return { subscribers, batches: [...batches.values()], lost, outOfOrder }
}
