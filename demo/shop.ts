// The shop as a whole: pods, applications, redirects, sidecars and manifests, put together once.
//
// customer -> web -> reviews (three instances) -> ratings, and web -> mail, where the server speaks first. The
// customer is outside of the mesh; ratings is reached over IPv6 alone. The applications find each other by name, as
// a cluster's DNS would have it; here the names stand in the world's own /etc/hosts.

import { appendFileSync, copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { Conversation } from './conversation.ts'
import { type ServiceManifest, writeManifest } from './manifests.ts'
import { type Child, run } from './pods/child.ts'
import { APP_UID, Network, type Pod, PROXY_UID } from './pods/network.ts'
import type { Reached } from './shop/service.ts'
import { Sidecar } from './sidecar.ts'

const FOLDER = '/run/shop'
const MANIFESTS = `${FOLDER}/mesh`
export const REVIEWS = ['reviews-1', 'reviews-2', 'reviews-3'] as const
const MESHED = ['web', ...REVIEWS, 'ratings', 'mail'] as const
export const ADDRESSES = {
  reviews: '198.18.100.1',
  ratings: 'fd00:1::2',
  mail: '198.18.100.3',
} as const

/** Asks the application of the pod for a path. The sidecar's user is not redirected. */
function asking(path: string): string {
  return `exec 3<>/dev/tcp/127.0.0.1/9080; printf "GET ${path} HTTP/1.0\\r\\n\\r\\n" >&3; cat <&3`
}

/** Tells of one step of the start: what it is, and what it came to. */
export type Say = (step: string, detail: string) => void

export class Shop {
  readonly network: Network
  readonly #pods = new Map<string, Pod>()
  readonly #sidecars = new Map<string, Sidecar>()
  readonly #apps = new Map<string, Child>()
  readonly #notReady = new Set<string>()
  #customer: Conversation | undefined
  #cookie: string | undefined
  #demands: readonly string[] = []

  private constructor(network: Network) {
    this.network = network
  }

  /** Everything up, no traffic yet. */
  static async open(say: Say): Promise<Shop> {
    process.umask(0o022)
    mkdirSync(FOLDER)
    const shop = new Shop(await Network.open())
    await shop.#makePods()
    say('pods', [...shop.#pods.values()].map(({ name, ip }) => `${name} ${ip}`).join(', '))
    await shop.#checkReadable()
    await shop.#nameServices()
    say('services', 'reviews 198.18.100.1, ratings [fd00:1::2], mail 198.18.100.3')
    await Promise.all([
      shop.#startApps().then(() => {
        say(
          'apps',
          `${shop.#apps.size} Node.js programs under uid ${APP_UID}, told nothing of a mesh`,
        )
      }),
      shop
        .#eachSidecar((sidecar) => sidecar.redirect())
        .then(() => {
          say('redirects', `underpass init in ${shop.#sidecars.size} pods, verified`)
        }),
    ])
    await shop.#eachSidecar((sidecar) => sidecar.start())
    say('sidecars', `underpass proxy in ${shop.#sidecars.size} pods under uid ${PROXY_UID}, ready`)
    return shop
  }

  get sidecars(): readonly Sidecar[] {
    return [...this.#sidecars.values()]
  }

  pod(name: string): Pod {
    return found(this.#pods, name)
  }

  sidecar(name: string): Sidecar {
    return found(this.#sidecars, name)
  }

  /** The customers: `rate N`, `pause` or `report`. */
  async customer(order: string): Promise<CustomerReport> {
    if (this.#customer === undefined) throw new Error('there is no customer')
    return (await this.#customer.ask(order)) as CustomerReport
  }

  /** Runs the client in a pod, as that pod's application, and gives what it printed. */
  async client(podName: string, ...args: readonly string[]): Promise<unknown> {
    const done = await this.pod(podName).exec(APP_UID, [
      'node',
      'build/demo/shop/client.js',
      ...args,
    ])
    if (done.code !== 0) throw new Error(`the client failed: ${done.stderr.trim()}`)
    return JSON.parse(done.stdout)
  }

  /** What has reached the application of a pod, as that says itself: asked inside the pod, past the mesh. */
  async reached(name: string): Promise<Reached> {
    const stdout = await this.tell(name, 'count')
    return JSON.parse(stdout.slice(stdout.indexOf('\r\n\r\n'))) as Reached
  }

  /** Asks the application of a pod for that path, as nobody in the mesh can, and gives the answer. */
  async tell(name: string, path: 'count' | 'sick' | 'well'): Promise<string> {
    return (await this.pod(name).exec(PROXY_UID, ['bash', '-c', asking(`/${path}`)])).stdout
  }

  /** Starts the client in a pod for a longer conversation. */
  converse(podName: string, ...args: readonly string[]): Conversation {
    const command = ['node', 'build/demo/shop/client.js', ...args]
    return new Conversation(this.pod(podName).start(APP_UID, command))
  }

  /** The instance dies as a pod dies: application and sidecar at once, and its endpoint stays listed. */
  async kill(name: string): Promise<void> {
    await Promise.all([this.sidecar(name).kill(), found(this.#apps, name).stop('SIGKILL')])
  }

  /** Starts application and sidecar of a killed instance again. */
  async restart(name: string): Promise<void> {
    if (found(this.#apps, name).exit === undefined) throw new Error(`${name} was not killed`)
    await Promise.all([this.#startApp(name), this.sidecar(name).start()])
  }

  /** Edits the manifest of the reviews: an instance gets new connections, or none. */
  setReady(name: string, isReady: boolean): void {
    if (isReady) this.#notReady.delete(name)
    else this.#notReady.add(name)
    this.#writeManifests()
  }

  /** Edits the policy of the reviews: a client is kept by a cookie of that name, or not. */
  setCookie(name: string | undefined): void {
    this.#cookie = name
    this.#writeManifests()
  }

  /** Edits the policy of the reviews: these lines are in its spec besides what is always there. */
  setDemands(lines: readonly string[]): void {
    this.#demands = lines
    this.#writeManifests()
  }

  async #makePods(): Promise<void> {
    const names = ['customer', ...MESHED]
    const pods = await Promise.all(names.map(async (name) => await this.network.pod(name)))
    for (const pod of pods) this.#pods.set(pod.name, pod)
    this.#writeManifests()
    for (const name of MESHED) {
      const egress = name === 'ratings' ? 'deny' : 'allow'
      const options = { folder: FOLDER, manifests: MANIFESTS, egress } as const
      this.#sidecars.set(name, new Sidecar(this.pod(name), options))
    }
  }

  // A clone that was made under a strict umask can be read by its owner alone.
  async #checkReadable(): Promise<void> {
    const look = ['test', '-r', 'build/src/cli/main.js', '-a', '-x', 'node_modules/commander']
    if ((await this.pod('web').exec(PROXY_UID, look)).code === 0) return
    throw new Error('the users of the pods may not read this folder; run here: chmod -R go+rX .')
  }

  async #nameServices(): Promise<void> {
    const hosts = `${FOLDER}/hosts`
    if (existsSync('/etc/hosts')) copyFileSync('/etc/hosts', hosts)
    else writeFileSync(hosts, '127.0.0.1 localhost\n')
    const names = Object.entries(ADDRESSES).map(([name, address]) => `${address} ${name}\n`)
    appendFileSync(hosts, `\n${this.pod('web').ip} web\n${names.join('')}`)
    await run(['mount', '--bind', hosts, '/etc/hosts'])
  }

  async #startApps(): Promise<void> {
    await Promise.all(
      [...this.#pods.keys()].map(async (name) => {
        await this.#startApp(name)
      }),
    )
    this.#customer = new Conversation(found(this.#apps, 'customer'))
  }

  async #eachSidecar(task: (sidecar: Sidecar) => Promise<void>): Promise<void> {
    await Promise.all(this.sidecars.map(task))
  }

  async #startApp(name: string): Promise<void> {
    const program = `build/demo/shop/${name.replace(/-\d$/, '')}.js`
    const app = this.pod(name).start(APP_UID, ['node', program], { NAME: name })
    this.#apps.set(name, app)
    await app.prints(/listening/)
  }

  #writeManifests(): void {
    const reviews = REVIEWS.map((name) => ({
      ip: this.pod(name).ip,
      ready: !this.#notReady.has(name),
    }))
    const services: readonly ServiceManifest[] = [
      {
        ...service('reviews', 9080, reviews),
        http2Port: 9081,
        ...(this.#cookie === undefined ? {} : { cookie: this.#cookie }),
        demands: this.#demands,
      },
      service('ratings', 9080, [{ ip: this.pod('ratings').ip6, ready: true }]),
      service('mail', 2525, [{ ip: this.pod('mail').ip, ready: true }]),
    ]
    for (const each of services) writeManifest(MANIFESTS, each)
  }
}

export interface CustomerReport {
  readonly started: number
  readonly done: number
  readonly failed: number
  readonly lastError: string
}

function service(
  name: keyof typeof ADDRESSES,
  port: number,
  instances: ServiceManifest['instances'],
): ServiceManifest {
  return { name, clusterIP: ADDRESSES[name], port, algorithm: 'roundRobin', instances }
}

function found<Value>(map: ReadonlyMap<string, Value>, name: string): Value {
  const value = map.get(name)
  if (value === undefined) throw new Error(`there is no ${name}`)
  return value
}
