// A proxy in a process of its own that is attacked, with a client beside the attacker that means well: what it sees of
// the attack is what the proxy's event loop sees.
//
// The proxy has an explicit listener for each Service, and finds them in files.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, type IncomingMessage, request } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { type Environment, type Running, start } from '../../cli/command.ts'
import { until } from '../../support/until.ts'

export interface Target {
  readonly name: string
  /** Of its only endpoint. */
  readonly port: number
  readonly appProtocol: 'http' | 'http2'
  /** What its TrafficPolicy says, as YAML in one line. */
  readonly policy?: string
}

/** The slowest of a hundred requests beside an attack, in milliseconds: for machines that have much else to do. */
const PATIENCE = 400
const REQUESTS = 200

export class Victim {
  readonly run: Running
  readonly #admin: number
  readonly #ports: ReadonlyMap<string, number>

  private constructor(run: Running, admin: number, ports: ReadonlyMap<string, number>) {
    this.run = run
    this.#admin = admin
    this.#ports = ports
  }

  static async start(t: Test, targets: readonly Target[], env: Environment = {}): Promise<Victim> {
    const folder = mkdtempSync(join(tmpdir(), 'underpass-attacks-'))
    t.teardown(() => {
      rmSync(folder, { recursive: true, force: true })
    })
    writeFileSync(join(folder, 'mesh.yaml'), targets.map(manifest).join('---\n'))
    const admin = await freePort()
    const listeners = targets.map(
      ({ name }) => `{ address: "127.0.0.1:0", service: ${name}.default, port: 80 }`,
    )
    const run = start(t, ['proxy'], {
      UNDERPASS_ADMIN: `127.0.0.1:${admin}`,
      UNDERPASS_DISCOVERY_FILES: folder,
      UNDERPASS_OUTBOUND_LISTENERS: `[${listeners.join(', ')}]`,
      ...env,
    })
    const ports = new Map<string, number>()
    for (const [i, { name }] of targets.entries()) {
      if (run.child.exitCode !== null) throw new Error(run.err)
      const address = await run.listening(`outbound.listeners[${i}].address`)
      ports.set(name, Number(address.split(':')[1]))
    }
    await run.event('ready')
    return new Victim(run, admin, ports)
  }

  port(name: string): number {
    return this.#ports.get(name) ?? 0
  }

  /** Of all lines of a metric whose labels have these, the sum. */
  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    const answer = await fetch(`http://127.0.0.1:${this.#admin}/metrics`, {
      headers: { connection: 'close' },
    })
    let sum = 0
    for (const line of (await answer.text()).split('\n')) {
      const found = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line)
      if (found?.[1] !== name) continue
      const has = Object.entries(labels).every(([key, value]) =>
        found[2]?.includes(`${key}="${value}"`),
      )
      if (has) sum += Number(found[3])
    }
    return sum
  }

  /** Resident, in MiB. */
  async memory(): Promise<number> {
    return (await this.metric('underpass_resident_memory_bytes')) / 2 ** 20
  }

  /** Times that a limit was reached, on clients' side or on endpoints'. */
  async limited(limit: string, role = 'downstream'): Promise<number> {
    return await this.metric('underpass_http2_limits_exceeded_total', { limit, role })
  }

  async isQuiet(role = 'downstream'): Promise<boolean> {
    const streams = await this.metric('underpass_http2_open_streams')
    return streams === 0 && (await this.metric('underpass_http2_open_connections', { role })) === 0
  }
}

/** Somebody who asks for nothing but what is theirs, over HTTP/1.1, one request after the other. */
export class Bystander {
  readonly times: number[] = []
  readonly #failures: string[] = []
  readonly #port: number
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })

  constructor(port: number) {
    this.#port = port
  }

  /** Asks until both the attack is over and it has asked often enough. */
  async during(attack: Promise<unknown>): Promise<void> {
    const state = { isOver: false }
    const over = attack.finally(() => {
      state.isOver = true
    })
    // It is awaited below, whatever comes of it meanwhile.
    over.catch(() => undefined)
    while (!state.isOver || this.times.length < REQUESTS) await this.#ask()
    await over
    this.#agent.destroy()
  }

  async #ask(): Promise<void> {
    const begun = performance.now()
    const status = await new Promise<string>((resolve) => {
      const asked = request({ host: '127.0.0.1', port: this.#port, agent: this.#agent, path: '/' })
      asked.on('error', ({ message }) => {
        resolve(message)
      })
      asked.on('response', (response: IncomingMessage) => {
        response.resume().on('end', () => {
          resolve(`${response.statusCode}`)
        })
      })
      asked.end()
    })
    this.times.push(performance.now() - begun)
    if (status !== '200') this.#failures.push(status)
  }

  /** What it has to say. */
  judge(t: Test): void {
    const sorted = this.times.toSorted((a, b) => a - b)
    const slow = sorted[Math.floor(sorted.length * 0.99)] ?? NaN
    t.strictSame(this.#failures, [], `all ${sorted.length} requests beside it were answered`)
    t.ok(slow < PATIENCE, `99 of 100 of them within ${slow.toFixed(0)} ms`)
  }
}

/** Nothing of the attack is left open. */
export async function quiet(t: Test, victim: Victim): Promise<void> {
  await until('all streams and clients are gone', async () => await victim.isQuiet())
  t.pass('nothing is left open')
}

function manifest({ name, port, appProtocol, policy }: Target, index: number): string {
  const service = `apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: default }
spec:
  clusterIP: 198.18.255.${index + 1}
  ports: [{ name: web, port: 80, protocol: TCP, appProtocol: ${appProtocol} }]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: ${name}-1
  namespace: default
  labels: { kubernetes.io/service-name: ${name} }
addressType: IPv4
ports: [{ name: web, port: ${port}, protocol: TCP, appProtocol: ${appProtocol} }]
endpoints: [{ addresses: [127.0.0.1], conditions: { ready: true } }]
`
  if (policy === undefined) return service
  return `${service}---
apiVersion: underpass.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: ${name}, namespace: default }
spec: { targetRef: { kind: Service, name: ${name} }, ${policy} }
`
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const found = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof found === 'object' ? (found?.port ?? 0) : 0
}
