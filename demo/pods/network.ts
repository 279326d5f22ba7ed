// Pods as network namespaces on one bridge, as a Kubernetes node has them: each with its own addresses, its own
// rules and processes under their own uids. Works only inside a world (world.ts), which takes it all away again.
//
// The bridge has a namespace to itself (the node), and every kernel name carries the process that made it, so that
// networks of several processes in one world never meet, though their pods have the same names and addresses.
// Addresses are from 198.18.0.0/15 (the benchmarking range) and fd00::/8. Service addresses need no interface:
// the default route leads them to the bridge, and the redirects catch them before they leave the pod.

import { setTimeout as sleep } from 'node:timers/promises'
import { Child, type Finished, run } from './child.ts'

const BRIDGE = 'mesh0'

/** The uids that matter to the redirects: applications run under one, the sidecar under the other. */
export const APP_UID = 1000
export const PROXY_UID = 1337

let networks = 0

export class Pod {
  readonly name: string
  /** The kernel's name of the pod's network namespace, as `ip netns` knows it. */
  readonly netns: string
  readonly ip: string
  readonly ip6: string
  readonly children: Child[] = []

  constructor(name: string, netns: string, index: number) {
    this.name = name
    this.netns = netns
    this.ip = `198.18.${index >> 8}.${index & 255}`
    this.ip6 = `fd00::${index.toString(16)}`
  }

  /** The command line that runs `command` in this pod under `uid`. */
  command(uid: number, command: readonly string[]): string[] {
    // What a test runner hands down to every Node.js of its children is not part of a pod.
    const clean = ['env', '-u', 'NODE_OPTIONS']
    const enter = ['ip', 'netns', 'exec', this.netns, ...clean]
    if (uid === 0) return [...enter, ...command]
    const user = [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--no-new-privs']
    return [...enter, 'setpriv', ...user, '--', ...command]
  }

  /** Starts a program that stays. It is ended with `close` of the network, or by itself. */
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
  /** The namespace of the bridge: what every pod's default route leads to. */
  readonly node: string
  readonly #suffix: string
  #next = 2

  private constructor(suffix: string) {
    this.#suffix = suffix
    this.node = `node-${suffix}`
  }

  /** Makes a node with its bridge; any number of them at once. */
  static async open(): Promise<Network> {
    const network = new Network(`${process.pid}-${++networks}`)
    await run(['ip', 'netns', 'add', network.node])
    await batch(network.node, [
      `link add ${BRIDGE} type bridge mcast_snooping 0`,
      `address add 198.18.0.1/16 dev ${BRIDGE}`,
      `address add fd00::1/64 dev ${BRIDGE} nodad`,
      `link set lo up`,
      `link set ${BRIDGE} up`,
    ])
    return network
  }

  /** A pod with an IPv4 and an IPv6 address and default routes over the bridge. Several may be made at once. */
  async pod(name: string): Promise<Pod> {
    const index = this.#next++
    const pod = new Pod(name, `${name}-${this.#suffix}`, index)
    const link = `veth${index}`
    await batch(undefined, [
      `netns add ${pod.netns}`,
      `link add ${link} netns ${this.node} type veth peer name eth0 netns ${pod.netns}`,
    ])
    this.pods.push(pod)
    await batch(this.node, [`link set ${link} master ${BRIDGE} up`])
    await batch(pod.netns, [
      'link set lo up',
      `address add ${pod.ip}/16 dev eth0`,
      `address add ${pod.ip6}/64 dev eth0 nodad`,
      'link set eth0 up',
      'route add default via 198.18.0.1',
      'route add ::/0 via fd00::1',
    ])
    return pod
  }

  /** Ends every process in a pod, however it came there, and removes the pod. */
  async remove(pod: Pod): Promise<void> {
    await Promise.all(pod.children.map(async (child) => await child.stop()))
    await endProcesses(pod.netns)
    await run(['ip', 'netns', 'delete', pod.netns])
    this.pods.splice(this.pods.indexOf(pod), 1)
  }

  /** Removes every pod and the node. */
  async close(): Promise<void> {
    await Promise.all(
      [...this.pods].map(async (pod) => {
        await this.remove(pod)
      }),
    )
    await run(['ip', 'netns', 'delete', this.node])
  }
}

/** Several `ip` commands in one process; the first that fails throws, with its line. */
async function batch(netns: string | undefined, lines: readonly string[]): Promise<void> {
  const where = netns === undefined ? [] : ['-netns', netns]
  await run(['ip', ...where, '-batch', '-'], `${lines.join('\n')}\n`)
}

/** A daemon leaves the process that started it, but not its namespace: what is still in there is ended. */
async function endProcesses(netns: string): Promise<void> {
  for (;;) {
    const pids = (await run(['ip', 'netns', 'pids', netns])).split('\n').filter((pid) => pid !== '')
    if (pids.length === 0) return
    for (const pid of pids) {
      try {
        process.kill(Number(pid), 'SIGKILL')
      } catch {
        // It has just ended by itself.
      }
    }
    await sleep(5)
  }
}
