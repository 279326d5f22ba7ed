// A small mesh for tests: pods with real rules and real sidecars, and a folder of manifests that all of them watch.
//
// A sidecar runs as an operator would run it: `underpass init` as root, then `underpass proxy` under the proxy's uid.

import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import type { Child, Finished } from '../../demo/pods/child.ts'
import { APP_UID, Network, type Pod, PROXY_UID } from '../../demo/pods/network.ts'
import { Agent } from './agent.ts'
import { until } from './until.ts'

const UNDERPASS = ['node', 'build/src/cli/main.js']
const CONFIG = {
  admin: '127.0.0.1:15000',
  outbound: { transparent: '[::]:15001' },
  inbound: { transparent: '[::]:15006' },
}

export type Fields = Readonly<Record<string, unknown>>

export interface SidecarOptions {
  /** Merged over the usual configuration, one level deep. */
  readonly config?: Fields
  readonly uid?: number
  /** Put before the command: `prlimit`, say. */
  readonly wrapper?: readonly string[]
}

/** A running proxy in a pod. */
export class Sidecar {
  readonly child: Child
  readonly lines: Fields[] = []
  readonly #pod: Pod

  constructor(pod: Pod, child: Child) {
    this.#pod = pod
    this.child = child
    const { stdout } = child.process
    if (stdout === null) throw new Error('no output of the sidecar')
    createInterface({ input: stdout }).on('line', (line) => {
      this.lines.push(JSON.parse(line) as Fields)
    })
  }

  /** `curl` to the admin port; the status stands in the last line. */
  async admin(path: string, ...flags: string[]): Promise<{ status: number; body: string }> {
    const url = `http://127.0.0.1:15000${path}`
    const command = ['curl', '-sS', '-m', '5', '-w', '\n%{http_code}', ...flags, url]
    const { stdout } = await this.#pod.exec(0, command)
    const end = stdout.lastIndexOf('\n')
    return { status: Number(stdout.slice(end + 1)), body: stdout.slice(0, end) }
  }

  /** The sum of a metric's lines that have all these labels. */
  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    const { body } = await this.admin('/metrics')
    const wanted = Object.entries(labels).map(([key, value]) => `${key}="${value}"`)
    return body
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      .filter((line) => wanted.every((label) => line.includes(label)))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
  }

  /** The first line of the log, from `since` on, with all these fields. */
  async logs(wanted: Fields, since = 0, within = 10_000): Promise<Fields> {
    return await until(
      `the log line ${JSON.stringify(wanted)}`,
      () => this.find(wanted, since)[0],
      within,
    )
  }

  find(wanted: Fields, since = 0): Fields[] {
    return this.lines
      .slice(since)
      .filter((line) => Object.entries(wanted).every(([key, value]) => line[key] === value))
  }

  /** A line of /proc/<pid>/status: VmRSS, CapEff. */
  status(key: string): string {
    const status = readFileSync(`/proc/${this.child.pid}/status`, 'utf8')
    return new RegExp(`^${key}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? ''
  }

  /** Resident memory in KiB. */
  get rss(): number {
    return Number.parseInt(this.status('VmRSS'), 10)
  }
}

export class MeshPod {
  readonly pod: Pod
  readonly agent: Agent

  constructor(pod: Pod) {
    this.pod = pod
    this.agent = new Agent(pod)
  }

  get ip(): string {
    return this.pod.ip
  }

  get ip6(): string {
    return this.pod.ip6
  }

  /** Runs a program to its end under the applications' uid. */
  async run(...command: string[]): Promise<Finished> {
    return await this.pod.exec(APP_UID, command)
  }

  /** Runs a program as root that must succeed. */
  async root(...command: string[]): Promise<string> {
    const done = await this.pod.exec(0, command)
    if (done.code !== 0) throw new Error(`${command.join(' ')}: ${done.stdout}${done.stderr}`)
    return done.stdout
  }
}

export class SidecarPod extends MeshPod {
  readonly sidecar: Sidecar

  constructor(pod: Pod, sidecar: Sidecar) {
    super(pod)
    this.sidecar = sidecar
  }
}

export class Mesh {
  readonly network: Network
  readonly folder: string
  readonly #sidecars: Sidecar[] = []
  readonly #usual: Fields
  #configs = 0

  private constructor(network: Network, folder: string, usual: Fields) {
    this.network = network
    this.#usual = usual
    this.folder = folder
  }

  /** A network without pods and the folder with no more than a comment in it. `usual` is for every sidecar. */
  static async open(t: Test, usual: Fields = {}): Promise<Mesh> {
    const network = await Network.open()
    const folder = mkdtempSync(join(tmpdir(), 'underpass-mesh-'))
    t.teardown(async () => {
      await network.close()
      rmSync(folder, { recursive: true })
    })
    chmodSync(folder, 0o755)
    mkdirSync(join(folder, 'manifests'))
    writeFileSync(join(folder, 'manifests', 'nothing.yaml'), '# nothing yet\n')
    return new Mesh(network, folder, usual)
  }

  /** A pod without a sidecar. */
  async plain(name: string): Promise<MeshPod> {
    return new MeshPod(await this.network.pod(name))
  }

  /** A pod with its rules applied and its sidecar ready. */
  async meshed(name: string, options: SidecarOptions = {}): Promise<SidecarPod> {
    const pod = await this.network.pod(name)
    const sidecar = await this.sidecar(pod, options)
    return new SidecarPod(pod, sidecar)
  }

  async sidecar(pod: Pod, options: SidecarOptions = {}): Promise<Sidecar> {
    const init = await pod.exec(0, [...UNDERPASS, 'init'])
    if (init.code !== 0) throw new Error(`init in ${pod.name}: ${init.stdout}${init.stderr}`)
    const sidecar = this.launch(pod, options)
    await sidecar.child.prints(/"event":"ready"/)
    // A worker of several says that it is ready too.
    await until(`${pod.name} ready`, () => {
      return sidecar.find({ event: 'ready', worker: undefined }).length > 0
    })
    const { status, body } = await sidecar.admin('/ready')
    if (status !== 200) throw new Error(`${pod.name}: ${body}`)
    this.#sidecars.push(sidecar)
    return sidecar
  }

  /** Starts a proxy and waits for nothing. */
  launch(pod: Pod, options: SidecarOptions = {}): Sidecar {
    const { config = {}, uid = PROXY_UID, wrapper = [] } = options
    const command = [...wrapper, ...UNDERPASS, 'proxy', '--config', this.config(config)]
    return new Sidecar(pod, pod.start(uid, command))
  }

  /** Writes a configuration: the usual one with `changes` over it. */
  config(changes: Fields): string {
    const path = join(this.folder, `proxy-${++this.#configs}.yaml`)
    const discovery = { files: './manifests' }
    const whole: Record<string, unknown> = { ...CONFIG, discovery, ...this.#usual }
    for (const [key, value] of Object.entries(changes)) {
      const usual = whole[key]
      const both = isMap(usual) && isMap(value)
      whole[key] = both ? { ...usual, ...value } : value
    }
    writeFileSync(path, JSON.stringify(whole))
    return path
  }

  path(file: string): string {
    return join(this.folder, 'manifests', file)
  }

  /** Puts a manifest into the folder in one step. */
  write(file: string, content: string | readonly Fields[]): void {
    const text =
      typeof content === 'string'
        ? content
        : content.map((document) => JSON.stringify(document)).join('\n---\n')
    writeFileSync(`${this.path(file)}.new`, text)
    renameSync(`${this.path(file)}.new`, this.path(file))
  }

  /** As `write`; resolves when every sidecar has taken it over or refused it. */
  async publish(file: string, content: string | readonly Fields[]): Promise<void> {
    await this.taken(() => {
      this.write(file, content)
    })
  }

  /** Changes the folder and waits until every running sidecar has an opinion about it. */
  async taken(change: () => void): Promise<void> {
    const running = this.#sidecars.filter(({ child }) => child.exit === undefined)
    const before = running.map(opinions)
    change()
    await until('every sidecar has seen the manifests', () =>
      running.every((sidecar, index) => opinions(sidecar) > (before[index] ?? 0)),
    )
  }
}

function opinions(sidecar: Sidecar): number {
  return (
    sidecar.find({ event: 'discovery' }).length +
    sidecar.find({ event: 'discovery-refused' }).length
  )
}

function isMap(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
