// Installs the peers, and the backend that they share, on Debian and its kin, when asked to. Their own services are not started.

import { spawnSync } from 'node:child_process'
import { NGHTTPD } from './nghttpd.ts'
import { haproxy } from './targets/haproxy.ts'
import { nginx } from './targets/nginx.ts'
import { findProgram } from './targets/target.ts'

const PACKAGES = ['haproxy', 'nginx-light', 'libnginx-mod-stream', 'nghttp2-server'] as const

/** Throws, with what to do instead, where it cannot. */
export function installPeers(say: (text: string) => void): void {
  const missing = [haproxy('l4').missing(), nginx('l4').missing()]
  if (missing.every((why) => why === undefined) && NGHTTPD !== undefined) return
  const command = `apt-get install -y --no-install-recommends ${PACKAGES.join(' ')}`
  if (findProgram('apt-get') === undefined) {
    throw new Error(
      '--install needs apt-get; install HAProxy, nginx (with stream) and nghttpd yourself',
    )
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
