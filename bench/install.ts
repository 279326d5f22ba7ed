// Installs the peers on Debian and its kin, when asked to. Their own services are not started.

import { spawnSync } from 'node:child_process'
import { haproxy } from './targets/haproxy.ts'
import { nginx } from './targets/nginx.ts'
import { findProgram } from './targets/target.ts'

const PACKAGES = ['haproxy', 'nginx-light', 'libnginx-mod-stream'] as const

/** Throws, with what to do instead, where it cannot. */
export function installPeers(say: (text: string) => void): void {
  if (haproxy('l4').missing() === undefined && nginx('l4').missing() === undefined) return
  const command = `apt-get install -y --no-install-recommends ${PACKAGES.join(' ')}`
  if (findProgram('apt-get') === undefined) {
    throw new Error('--install needs apt-get; install HAProxy and nginx (with stream) yourself')
  }
  if (process.getuid?.() !== 0) throw new Error(`--install needs root; or run: sudo ${command}`)
  say(`installing ${PACKAGES.join(', ')}`)
  apt(['update', '-q'])
  apt(['install', '-y', '-q', '--no-install-recommends', ...PACKAGES])
}

function apt(words: readonly string[]): void {
  const done = spawnSync('apt-get', words, {
    // Run level 1 keeps Debian's maintainer scripts from starting what they install.
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
    stdio: ['ignore', 2, 2],
  })
  if (done.status !== 0) throw new Error(`apt-get ${words.join(' ')} failed`)
}
