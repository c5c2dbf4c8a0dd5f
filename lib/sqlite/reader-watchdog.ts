import { workerData } from 'node:worker_threads'

/**
 * Ends this process when the one that started it is gone, also in the midst of a statement, where the process itself
 * hears of nothing. Runs as a thread of its own.
 */
const parent = workerData as number
setInterval(() => {
  if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL')
}, 250)
