// Our own proxy: one explicit listener in front of a Service with one endpoint, found through manifest files.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Mode, OWN_MODES, type Wire, type Wires } from '../mode.ts'
import { freePort, type Stage } from '../stage.ts'
import { type Running, ready, type Target } from './target.ts'

export interface Kind {
  readonly mode: Mode
  readonly workers: number
}

/** What a proxy of ours has besides: more manifests; or it stands in front of the backend, with these settings too. */
export interface Variant {
  readonly policy: string
  /** Undefined for a proxy beside the client. */
  readonly inbound: string | undefined
}

const PLAIN: Variant = { policy: '', inbound: undefined }

interface Place {
  readonly backend: number
  readonly port: number
  readonly admin: number
  readonly folder: string
}

/** The name of this target, by which all others are held against it. */
export const OURS = 'underpass'

const COMMAND = new URL('../../src/cli/underpass.cjs', import.meta.url).pathname

/** What the Service's port says of its endpoints, where it is to say something. */
const APP_PROTOCOLS: Readonly<Record<Wire, string>> = {
  http1: ', appProtocol: http',
  http2: ', appProtocol: kubernetes.io/h2c',
}

export function manifests(backend: number, wires?: Wires): string {
  const protocol = wires === undefined ? '' : APP_PROTOCOLS[wires.server]
  return `apiVersion: v1
kind: Service
metadata: { name: bench, namespace: default }
spec:
  clusterIP: 198.18.255.1
  ports: [{ name: tcp, port: 80, protocol: TCP${protocol} }]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: bench-1
  namespace: default
  labels: { kubernetes.io/service-name: bench }
addressType: IPv4
ports: [{ name: tcp, port: ${backend}, protocol: TCP }]
endpoints: [{ addresses: [127.0.0.1], conditions: { ready: true } }]
`
}

export function underpassConfig(
  { mode, workers }: Kind,
  { backend, port, admin, folder }: Place,
  { inbound }: Variant = PLAIN,
): string {
  const way =
    inbound === undefined
      ? `outbound:
  listeners: [{ address: "127.0.0.1:${port}", service: bench.default, port: 80 }]`
      : `inbound:
  listeners: [{ address: "127.0.0.1:${port}", target: "127.0.0.1:${backend}" }]${inbound}`
  return `mode: ${OWN_MODES[mode]}
workers: ${workers}
admin: 127.0.0.1:${admin}
${way}
discovery: { files: ${JSON.stringify(folder)} }
`
}

export function underpass(
  mode: Mode,
  name: string = OURS,
  workers = 1,
  variant: Variant = PLAIN,
): Target {
  return {
    name,
    missing: () => (isBuilt() ? undefined : 'the proxy of this project is not built'),
    version: () => {
      const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')
      return /"version": "([^"]+)"/.exec(text)?.[1] ?? 'unknown'
    },
    async start(stage: Stage, backend: number, wires?: Wires): Promise<Running> {
      const [port, admin] = [await freePort(), await freePort()]
      const folder = join(stage.folder, 'mesh')
      mkdirSync(folder)
      writeFileSync(join(folder, 'bench.yaml'), manifests(backend, wires) + variant.policy)
      const file = join(stage.folder, 'proxy.yaml')
      writeFileSync(
        file,
        underpassConfig({ mode, workers }, { backend, port, admin, folder }, variant),
      )
      const node = [process.execPath, ...profiling(stage)]
      const child = stage.start('proxy', [...node, COMMAND, 'proxy', '--config', file])
      await ready(child, async () => await isReady(admin))
      return { port, pid: child.pid }
    },
  }
}

/** What makes Node.js write a profile when the process ends. */
function profiling({ profile }: Stage): string[] {
  return profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`]
}

function isBuilt(): boolean {
  const help = [COMMAND, 'proxy', '--help']
  return existsSync(COMMAND) && spawnSync(process.execPath, help).status === 0
}

async function isReady(admin: number): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${admin}/ready`, {
      headers: { connection: 'close' },
    })
    await answer.arrayBuffer()
    return answer.status === 200
  } catch {
    return false
  }
}
