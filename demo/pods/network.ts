// Pods as network namespaces on one bridge, as a Kubernetes node has them: each with its own addresses, its own
// rules and processes under their own uids. Works only inside a world (world.ts), which takes it all away again.
//
// Addresses are from 198.18.0.0/15 (the benchmarking range) and fd00::/8. Service addresses need no interface:
// the default route leads them to the bridge, and the redirects catch them before they leave the pod.

import { Child, type Finished, run } from './child.ts'

const BRIDGE = 'mesh0'

/** The uids that matter to the redirects: applications run under one, the sidecar under the other. */
export const APP_UID = 1000
export const PROXY_UID = 1337

export class Pod {
  readonly name: string
  readonly ip: string
  readonly ip6: string
  readonly children: Child[] = []

  constructor(name: string, index: number) {
    this.name = name
    this.ip = `198.18.${index >> 8}.${index & 255}`
    this.ip6 = `fd00::${index.toString(16)}`
  }

  /** The command line that runs `command` in this pod under `uid`. */
  command(uid: number, command: readonly string[]): string[] {
    const enter = ['ip', 'netns', 'exec', this.name]
    if (uid === 0) return [...enter, ...command]
    const user = [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--no-new-privs']
    return [...enter, 'setpriv', ...user, '--', ...command]
  }

  /** Starts a program that stays. It is ended with `stop` of the network, or by itself. */
  start(
    uid: number,
    command: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Child {
    const child = new Child(this.command(uid, command), env)
    this.children.push(child)
    return child
  }

  /** Runs a program to its end, whatever its exit status. */
  async exec(uid: number, command: readonly string[], input = ''): Promise<Finished> {
    return await new Child(this.command(uid, command)).finish(input)
  }
}

export class Network {
  readonly pods: Pod[] = []
  #next = 2

  /** Makes the bridge; once in a world. */
  static async open(): Promise<Network> {
    await run(['ip', 'link', 'add', BRIDGE, 'type', 'bridge', 'mcast_snooping', '0'])
    await run(['ip', 'address', 'add', '198.18.0.1/16', 'dev', BRIDGE])
    await run(['ip', 'address', 'add', 'fd00::1/64', 'dev', BRIDGE, 'nodad'])
    await run(['ip', 'link', 'set', BRIDGE, 'up'])
    return new Network()
  }

  /** A pod with an IPv4 and an IPv6 address and default routes over the bridge. */
  async pod(name: string): Promise<Pod> {
    const index = this.#next++
    const pod = new Pod(name, index)
    const link = `veth${index}`
    await run(['ip', 'netns', 'add', name])
    await run(['ip', 'link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name])
    await run(['ip', 'link', 'set', link, 'master', BRIDGE, 'up'])
    const inside = ['ip', '-netns', name]
    await run([...inside, 'link', 'set', 'lo', 'up'])
    await run([...inside, 'address', 'add', `${pod.ip}/16`, 'dev', 'eth0'])
    await run([...inside, 'address', 'add', `${pod.ip6}/64`, 'dev', 'eth0', 'nodad'])
    await run([...inside, 'link', 'set', 'eth0', 'up'])
    await run([...inside, 'route', 'add', 'default', 'via', '198.18.0.1'])
    await run([...inside, '-6', 'route', 'add', 'default', 'via', 'fd00::1'])
    this.pods.push(pod)
    return pod
  }

  /** Ends every process that was started in a pod and removes the pod. */
  async remove(pod: Pod): Promise<void> {
    await Promise.all(pod.children.map(async (child) => await child.stop()))
    await run(['ip', 'netns', 'delete', pod.name])
    this.pods.splice(this.pods.indexOf(pod), 1)
  }

  /** Removes every pod and the bridge. */
  async close(): Promise<void> {
    for (const pod of [...this.pods]) await this.remove(pod)
    await run(['ip', 'link', 'delete', BRIDGE])
  }
}
