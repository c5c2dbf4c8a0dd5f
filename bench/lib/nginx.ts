import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { freePort, Running } from './processes.ts'
import { Skipped } from './row.ts'

const COMMAND = 'nginx'

/** Such as `nginx/1.22.1`, or undefined when it is not installed. */
export function nginxVersion(): string | undefined {
  const { error, stderr } = spawnSync(COMMAND, ['-v'], { encoding: 'utf8' })
  return error === undefined ? /nginx\/\S+/.exec(stderr)?.[0] : undefined
}

export interface Nginx extends AsyncDisposable {
  readonly port: number
}

/**
 * nginx with what Debian's own configuration sets for static files, on the files in `root`; whatever ends in `.zst` goes
 * out as JSON with that content coding.
 */
export async function startNginx(root: string, folder: string): Promise<Nginx> {
  if (nginxVersion() === undefined) throw new Skipped('nginx is not installed')
  const port = await freePort()
  mkdirSync(folder, { recursive: true })
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${join(folder, name)};`,
  )
  const configuration = `
    daemon off;
    pid ${join(folder, 'nginx.pid')};
    error_log ${join(folder, 'error.log')};
    worker_processes ${availableParallelism()};
    ${process.getuid?.() === 0 ? 'user root;' : ''}
    events { worker_connections 768; }
    http {
      ${temporary.join(' ')}
      access_log off;
      sendfile on;
      tcp_nopush on;
      default_type application/json;
      server {
        listen 127.0.0.1:${port};
        root ${root};
        location ~ \\.zst$ { add_header Content-Encoding zstd; }
        location = /ready { return 200; }
      }
    }`
  const file = join(folder, 'nginx.conf')
  writeFileSync(file, configuration)
  const running = new Running('nginx', COMMAND, ['-p', folder, '-c', file, '-e', join(folder, 'error.log')])
  await running.untilAnswer({ port, path: '/ready' }, 5_000)
  return { port, [Symbol.asyncDispose]: () => running.stop() }
}
