// nginx: with its stream module at L4, which may be built in or loaded, and as an HTTP proxy at L7.

import { spawnSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Mode, Wires } from '../mode.ts'
import { freePort, type Stage } from '../stage.ts'
import { type NginxParts, nginxConfig } from './nginx-config.ts'
import { accepts, findProgram, type Running, ready, type Target } from './target.ts'

export function nginx(mode: Mode): Target {
  return {
    name: 'nginx',
    missing: () => {
      if (program() === undefined) return 'nginx is not installed (try --install)'
      if (mode === 'l7') return undefined
      if (mode === 'h2') return hasHttp2() ? undefined : 'nginx has no HTTP/2'
      return streamModule() === undefined ? 'nginx has no stream module (try --install)' : undefined
    },
    // It speaks HTTP/2 to clients only.
    carries: ({ server }) => server === 'http1',
    version: () => /nginx\/(\S+)/.exec(build())?.[1] ?? 'unknown',
    async start(stage: Stage, backend: number, wires?: Wires): Promise<Running> {
      const port = await freePort()
      const file = join(stage.folder, 'nginx.conf')
      const { files } = stage.means
      writeFileSync(file, nginxConfig(mode, port, backend, files, partsFor(mode), wires))
      const place = ['-p', stage.folder, '-e', 'stderr', '-c', file]
      const child = stage.start('proxy', [program() ?? 'nginx', ...place])
      await ready(child, async () => await accepts(port))
      return { port, pid: child.pid }
    },
  }
}

function partsFor(mode: Mode): NginxParts {
  if (mode === 'l4') return { stream: streamModule()?.file, temporary: [] }
  const said = build()
  const optional = ['fastcgi', 'uwsgi', 'scgi'].filter(
    (name) => !said.includes(`--without-http_${name}_module`),
  )
  return { stream: undefined, temporary: ['client_body', 'proxy', ...optional] }
}

/** How stream is to be had: built in (no file), or from a file; undefined if not at all. */
function streamModule(): { readonly file: string | undefined } | undefined {
  const said = build()
  if (/--with-stream(?:\s|$)/.test(said)) return { file: undefined }
  const folder = /--modules-path=(\S+)/.exec(said)?.[1] ?? '/usr/lib/nginx/modules'
  const file = join(folder, 'ngx_stream_module.so')
  return existsSync(file) ? { file } : undefined
}

function hasHttp2(): boolean {
  return build().includes('--with-http_v2_module')
}

function build(): string {
  return spawnSync(program() ?? 'nginx', ['-V'], { encoding: 'utf8' }).stderr
}

function program(): string | undefined {
  return findProgram('nginx')
}
