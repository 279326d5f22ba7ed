// One pod's part of the mesh: the redirects from `underpass init` and the sidecar from `underpass proxy`.
//
// Both are run as a user would run them, from the built command line. The admin port is on the pod's loopback, so a
// small shell inside the pod fetches from it: a Node.js process a pod for this alone would be 40 MB each.

import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Flow, flowsOf, parseMetrics, type Sample } from './metrics.ts'
import type { Child } from './pods/child.ts'
import { type Pod, PROXY_UID } from './pods/network.ts'

const COMMAND = ['node', 'build/src/cli/main.js']
const ADMIN_PORT = 15000
const READY_LIMIT = 20_000
const FETCH_LIMIT = 3000
/** Reads a method and a path a line, writes answers; each ends with a NUL. */
const FETCHER = `while read -r method path; do
  { printf '%s %s HTTP/1.0\\r\\nHost: 127.0.0.1\\r\\n\\r\\n' "$method" "$path" >&3; cat <&3; } 3<>/dev/tcp/127.0.0.1/${ADMIN_PORT}
  printf '\\0'
done 2>/dev/null`

export type Mode = 'l4' | 'l7'

export interface SidecarOptions {
  readonly folder: string
  readonly manifests: string
  readonly egress: 'allow' | 'deny'
}

export class Sidecar {
  readonly pod: Pod
  readonly #config: string
  #proxy: Child | undefined
  #fetcher: Child | undefined
  #answer: ((text: string) => void) | undefined
  #unread = ''
  #queue: Promise<unknown> = Promise.resolve()

  constructor(pod: Pod, options: SidecarOptions) {
    this.pod = pod
    this.#config = `${options.folder}/${pod.name}.yaml`
    writeFileSync(
      this.#config,
      `mode: l7
admin: 127.0.0.1:${ADMIN_PORT}
outbound: { transparent: "[::]:15001" }
inbound: { transparent: "[::]:15006" }
discovery: { files: ${options.manifests} }
egress: ${options.egress}
`,
    )
  }

  /** Installs the redirects, as root of the pod. */
  async redirect(): Promise<void> {
    const done = await this.pod.exec(0, [...COMMAND, 'init'])
    if (done.code === 0) return
    throw new Error(
      `underpass init failed in ${this.pod.name} (exit ${String(done.code)}): ${lastLines(done)}`,
    )
  }

  /** Starts the proxy and waits until it says that it is ready. */
  async start(): Promise<void> {
    const proxy = this.pod.start(PROXY_UID, [...COMMAND, 'proxy', '--config', this.#config])
    this.#proxy = proxy
    const limit = performance.now() + READY_LIMIT
    while (!(await this.fetch('/ready')).isOk) {
      if (proxy.exit !== undefined || performance.now() > limit) {
        throw new Error(`the sidecar of ${this.pod.name} did not get ready: ${lastLines(proxy)}`)
      }
      await sleep(30)
    }
  }

  async kill(): Promise<void> {
    await this.#proxy?.stop('SIGKILL')
  }

  /** A path of the admin port; not ok and empty where nothing answers. */
  async fetch(path: string, method = 'GET'): Promise<{ isOk: boolean; body: string }> {
    const asked = this.#queue.then(async () => await this.#ask(`${method} ${path}`))
    this.#queue = asked.catch(() => undefined)
    const text = await asked
    const end = text.indexOf('\r\n\r\n')
    return { isOk: /^HTTP\/1\.\d 200 /.test(text), body: end < 0 ? '' : text.slice(end + 4) }
  }

  /** What it has carried so far. */
  async flows(): Promise<Flow[]> {
    return flowsOf(await this.samples())
  }

  /** What it has counted under that name for a service (and for a reason), in all. */
  async count(name: string, service: string, reason?: string): Promise<number> {
    const samples = await this.samples()
    return samples
      .filter((sample) => sample.name === name && sample.labels['service'] === service)
      .filter(({ labels }) => reason === undefined || labels['reason'] === reason)
      .reduce((sum, { value }) => sum + value, 0)
  }

  /** Its metrics. Throws where no sidecar answers: no numbers are not zeros. */
  async samples(): Promise<Sample[]> {
    const { isOk, body } = await this.fetch('/metrics')
    if (!isOk) throw new Error(`the sidecar of ${this.pod.name} does not answer`)
    return parseMetrics(body)
  }

  /** How it carries connections that begin now. */
  async mode(): Promise<Mode> {
    const { isOk, body } = await this.fetch('/mode')
    const mode = body.trim()
    if (isOk && (mode === 'l4' || mode === 'l7')) return mode
    throw new Error(`the sidecar of ${this.pod.name} does not answer`)
  }

  /** Switches it, as a user would; open connections end as they began. */
  async setMode(mode: Mode): Promise<void> {
    const { isOk } = await this.fetch(`/mode?to=${mode}`, 'PUT')
    if (!isOk) throw new Error(`the sidecar of ${this.pod.name} was not switched to ${mode}`)
  }

  async #ask(line: string): Promise<string> {
    const fetcher = this.#fetcher ?? this.#startFetcher()
    let timer: NodeJS.Timeout | undefined
    const text = await new Promise<string>((resolve) => {
      this.#answer = resolve
      timer = setTimeout(() => {
        void fetcher.stop('SIGKILL', 0)
        this.#fetcher = undefined
        resolve('')
      }, FETCH_LIMIT)
      fetcher.process.stdin?.write(`${line}\n`)
    })
    clearTimeout(timer)
    return text
  }

  #startFetcher(): Child {
    const fetcher = this.pod.start(PROXY_UID, ['bash', '-c', FETCHER])
    this.#unread = ''
    fetcher.process.stdout?.on('data', (text: string) => {
      if (this.#fetcher !== fetcher) return
      this.#unread += text
      const end = this.#unread.indexOf('\0')
      if (end < 0) return
      const whole = this.#unread.slice(0, end)
      this.#unread = this.#unread.slice(end + 1)
      this.#answer?.(whole)
    })
    this.#fetcher = fetcher
    return fetcher
  }
}

function lastLines({ stdout, stderr }: { stdout: string; stderr: string }): string {
  return `${stdout}${stderr}`.trim().split('\n').slice(-5).join('\n')
}
