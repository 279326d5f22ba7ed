// nginx with its stream module, one worker, otherwise as it comes. The module may be built in or loaded.

import { spawnSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, type Stage } from '../stage.ts'
import { accepts, findProgram, type Running, ready, type Target } from './target.ts'

const OWN_FILES = 100

export function nginxConfig(
  port: number,
  backend: number,
  files: number,
  module: string | undefined,
): string {
  const load = module === undefined ? '' : `load_module ${module};\n`
  return `${load}daemon off;
worker_processes 1;
worker_rlimit_nofile ${files};
pid nginx.pid;
error_log stderr error;
events {
  worker_connections ${files - OWN_FILES};
}
stream {
  server {
    listen 127.0.0.1:${port} backlog=4096;
    proxy_pass 127.0.0.1:${backend};
    proxy_connect_timeout 1s;
    proxy_timeout 1h;
  }
}
`
}

export const nginx: Target = {
  name: 'nginx',
  missing: () => {
    if (program() === undefined) return 'nginx is not installed (try --install)'
    return streamModule() === undefined ? 'nginx has no stream module (try --install)' : undefined
  },
  version: () => /nginx\/(\S+)/.exec(build())?.[1] ?? 'unknown',
  async start(stage: Stage, backend: number): Promise<Running> {
    const port = await freePort()
    const file = join(stage.folder, 'nginx.conf')
    const module = streamModule()
    const text = nginxConfig(port, backend, stage.means.files, module?.file)
    writeFileSync(file, text)
    const place = ['-p', stage.folder, '-e', 'stderr', '-c', file]
    const child = stage.start('proxy', [program() ?? 'nginx', ...place])
    await ready(child, async () => await accepts(port))
    return { port, pid: child.pid }
  },
}

/** How stream is to be had: built in (no file), or from a file; undefined if not at all. */
function streamModule(): { readonly file: string | undefined } | undefined {
  const said = build()
  if (/--with-stream(?:\s|$)/.test(said)) return { file: undefined }
  const folder = /--modules-path=(\S+)/.exec(said)?.[1] ?? '/usr/lib/nginx/modules'
  const file = join(folder, 'ngx_stream_module.so')
  return existsSync(file) ? { file } : undefined
}

function build(): string {
  return spawnSync(program() ?? 'nginx', ['-V'], { encoding: 'utf8' }).stderr
}

function program(): string | undefined {
  return findProgram('nginx')
}
