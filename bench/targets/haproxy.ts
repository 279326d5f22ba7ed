// HAProxy with one thread, otherwise as it comes: no splicing, no logging, its own buffer sizes. In HTTP mode it may
// use any idle connection to the backend for any request, which is its cheapest way.

import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Mode, PEER_MODES, type Wire, type Wires } from '../mode.ts'
import { freePort, type Stage } from '../stage.ts'
import { accepts, findProgram, type Running, ready, type Target } from './target.ts'

/** Descriptors that HAProxy wants for itself, beyond two a connection. */
const OWN_FILES = 100
/** As many as our own proxy takes; otherwise 100. */
const STREAMS = `  tune.h2.max-concurrent-streams 1000
`
const HTTP = `  http-reuse always
  timeout http-keep-alive 1h
`

export function haproxyConfig(
  mode: Mode,
  port: number,
  backend: number,
  files: number,
  wires?: Wires,
): string {
  return `global
  nbthread 1
  maxconn ${(files - OWN_FILES) >> 1}
${mode === 'h2' ? STREAMS : ''}defaults
  mode ${PEER_MODES[mode]}
  timeout connect 1s
  timeout client 1h
  timeout server 1h
${mode === 'l4' ? '' : HTTP}listen bench
  bind 127.0.0.1:${port} backlog 4096${protocol(wires?.client)}
  server backend 127.0.0.1:${backend}${protocol(wires?.server)}
`
}

function protocol(wire: Wire | undefined): string {
  return wire === 'http2' ? ' proto h2' : ''
}

export function haproxy(mode: Mode): Target {
  return {
    name: 'haproxy',
    missing: () =>
      program() === undefined ? 'haproxy is not installed (try --install)' : undefined,
    version: () => {
      const said = spawnSync(program() ?? 'haproxy', ['-v'], { encoding: 'utf8' }).stdout
      return /version (\S+)/.exec(said)?.[1] ?? 'unknown'
    },
    async start(stage: Stage, backend: number, wires?: Wires): Promise<Running> {
      const port = await freePort()
      const file = join(stage.folder, 'haproxy.cfg')
      writeFileSync(file, haproxyConfig(mode, port, backend, stage.means.files, wires))
      const child = stage.start('proxy', [program() ?? 'haproxy', '-q', '-db', '-f', file])
      await ready(child, async () => await accepts(port))
      return { port, pid: child.pid }
    },
  }
}

function program(): string | undefined {
  return findProgram('haproxy')
}
