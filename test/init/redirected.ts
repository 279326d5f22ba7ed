// Two pods for the tests of the redirects: `shop`, whose connections init redirects, and `peer`, outside the mesh.
//
// In both, applications answer on a few ports under the applications' uid; in `shop` stands a program under the
// proxy's uid that answers every redirected connection with where it was going.

import { mkdtempSync, writeFileSync } from 'node:fs'
import type { Test } from 'tap'
import type { Finished } from '../../demo/pods/child.ts'
import { APP_UID, Network, type Pod, PROXY_UID } from '../../demo/pods/network.ts'

export type Backend = 'nft' | 'legacy'
export const BACKENDS: readonly Backend[] = ['nft', 'legacy']

/** Addresses of Services: routed to the node, and nobody's. */
export const SERVICE = '198.19.0.10'
export const SERVICE6 = 'fd00:1::10'

/** Who may ask for the redirects to be installed: a whole command line with the backend's flag. */
const COMMAND = ['node', 'build/src/cli/main.js', 'init']
const ANSWERER = ['node', 'build/test/init/answerer.js']

export class Redirected {
  readonly network: Network
  readonly shop: Pod
  readonly peer: Pod
  readonly backend: Backend

  private constructor(network: Network, shop: Pod, peer: Pod, backend: Backend) {
    this.network = network
    this.shop = shop
    this.peer = peer
    this.backend = backend
  }

  static async open(t: Test, backend: Backend): Promise<Redirected> {
    const network = await Network.open()
    t.teardown(async () => {
      await network.close()
    })
    const [shop, peer] = await Promise.all([network.pod('shop'), network.pod('peer')])
    return new Redirected(network, shop, peer, backend)
  }

  /** The applications in both pods and what stands for the proxy in `shop`. */
  async populate(...ports: number[]): Promise<void> {
    const app = [...ANSWERER, 'app', ...ports.map(String)]
    const all = [
      this.shop.start(APP_UID, app),
      this.peer.start(APP_UID, app),
      this.shop.start(PROXY_UID, [...ANSWERER, 'proxy']),
    ]
    await Promise.all(
      all.map(async (child) => {
        await child.prints(/up/)
      }),
    )
  }

  /** Runs init in `shop` as root. */
  async init(...flags: string[]): Promise<Finished> {
    return await this.shop.exec(0, [...COMMAND, '--backend', this.backend, ...flags])
  }

  /** Runs init with programs of iptables replaced by shell scripts, and the backend as the flags say. */
  async initWith(
    programs: Readonly<Record<string, string>>,
    ...flags: string[]
  ): Promise<Finished> {
    const folder = mkdtempSync('/run/programs-')
    for (const [name, script] of Object.entries(programs)) {
      writeFileSync(`${folder}/${name}`, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    }
    const path = `PATH=${folder}:${process.env['PATH'] ?? ''}`
    return await this.shop.exec(0, ['env', path, ...COMMAND, ...flags])
  }

  /** Runs init without a trial connection; throws unless it succeeds. */
  async install(...flags: string[]): Promise<void> {
    const done = await this.init('--verify', 'false', ...flags)
    if (done.code !== 0)
      throw new Error(`init: exit ${String(done.code)}\n${done.stdout}${done.stderr}`)
  }

  /** What each target answers to a program in the pod. */
  async dial(pod: Pod, uid: number, ...targets: string[]): Promise<string[]> {
    const { stdout } = await pod.exec(uid, [...ANSWERER, 'dial', ...targets])
    return stdout.trimEnd().split('\n')
  }

  /** What an application in `shop` gets. */
  async fromApp(...targets: string[]): Promise<string[]> {
    return await this.dial(this.shop, APP_UID, ...targets)
  }

  /** What somebody outside of `shop` gets. */
  async fromPeer(...targets: string[]): Promise<string[]> {
    return await this.dial(this.peer, APP_UID, ...targets)
  }

  /** What a process of `shop` with this uid and gid gets. */
  async fromIds(uid: number, gid: number, ...targets: string[]): Promise<string[]> {
    const ids = ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--']
    const { stdout } = await this.shop.exec(0, [...ids, ...ANSWERER, 'dial', ...targets])
    return stdout.trimEnd().split('\n')
  }

  /** Everything both backends and families hold in `shop`, counters included if asked for, without dates. */
  async saved(counters = false): Promise<string> {
    const flags = counters ? ['-c'] : []
    const programs = BACKENDS.flatMap((backend) => [
      `iptables-${backend}-save`,
      `ip6tables-${backend}-save`,
    ])
    const texts: string[] = []
    for (const program of programs) {
      const { stdout } = await this.shop.exec(0, [program, ...flags])
      texts.push(`${program}\n${withoutComments(stdout)}`)
    }
    return texts.join('\n')
  }

  /** Runs one command of iptables (or ip6tables) of the backend in `shop`. */
  async iptables(family: 4 | 6, ...args: string[]): Promise<string> {
    const program = family === 4 ? `iptables-${this.backend}` : `ip6tables-${this.backend}`
    const done = await this.shop.exec(0, [program, '-w', '30', ...args])
    if (done.code !== 0) throw new Error(`${program} ${args.join(' ')}: ${done.stderr}`)
    return done.stdout
  }
}

/** The lines of a save that say something of ours. */
export function ours(saved: string): string[] {
  return saved.split('\n').filter((line) => line.includes('UNDERPASS_'))
}

/** Without dates, and without the chains of the kernel's own: a table once used lists them for ever. */
function withoutComments(saved: string): string {
  return saved
    .split('\n')
    .filter((line) => !line.startsWith('#') && !/^:\S+ ACCEPT/.test(line))
    .map((line) => (line.startsWith(':') ? line.replace(/\[\d+:\d+\]/, '') : line))
    .join('\n')
    .replaceAll(/\*\w+\nCOMMIT\n/g, '')
}
