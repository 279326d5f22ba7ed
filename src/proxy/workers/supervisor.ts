// The data plane of one pod in several processes: this one binds the addresses, starts the workers that carry the
// traffic, and answers for all of them on the admin and metrics ports.
//
// It carries nothing itself, so that nothing a connection does can end it. Workers share nothing but the listening
// sockets: limits, balancing, health of endpoints and loop protection hold for each of them by itself.

import { formatAddress, type SocketAddress } from '../../lib/address.ts'
import type { Clock } from '../../lib/clock.ts'
import { MeshError } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'
import { type ControlSubject, controlRoutes, publicRoutes } from '../admin/admin-routes.ts'
import { AdminServer, json, type Routes } from '../admin/admin-server.ts'
import { type Internals, loadInternals } from '../net/node-internals.ts'
import type { Settings } from '../settings.ts'
import type { Mode } from '../stack/destination.ts'
import type { Figures } from '../telemetry/metrics.ts'
import { Bindings } from './bindings.ts'
import { Crew, type CrewHost } from './crew.ts'
import type { Member } from './member.ts'
import { mergedEndpoints } from './merged-endpoints.ts'
import type { FromWorker } from './messages.ts'
import type { PooledMetrics } from './pooled-metrics.ts'
import type { Fork } from './worker-process.ts'

export class Supervisor implements ControlSubject, CrewHost {
  readonly configuration: Settings
  readonly #log: Log
  readonly #crew: Crew
  readonly #onQuit: () => void
  readonly #load: () => Internals | string
  readonly #servers: AdminServer[] = []
  #bindings: Bindings | undefined
  /** What each worker starts with. */
  #settings: Settings
  /** As somebody has set it since. */
  #mode: Mode | undefined
  /** Loaded when somebody asks for the first time, as in a single process. */
  #metrics: Promise<PooledMetrics> | undefined
  #notReady = 'starting'

  /** `onQuit` is called when the admin port is told to end the process. */
  constructor(
    settings: Settings,
    clock: Clock,
    log: Log,
    fork: Fork,
    onQuit: () => void,
    load: () => Internals | string = loadInternals,
  ) {
    this.configuration = settings
    this.#settings = shareOf(settings)
    this.#log = log
    this.#onQuit = onQuit
    this.#load = load
    this.#crew = new Crew(settings.workers, fork, clock, log, this)
  }

  /** Rejects with a MeshError for what is refused: by the system, or by a worker that reads the manifests. */
  async start(): Promise<void> {
    const internals = this.#load()
    if (typeof internals === 'string') {
      throw new MeshError('configuration-invalid', { key: 'workers', reason: internals })
    }
    this.#bindings = new Bindings(internals)
    try {
      await this.#startAdmin()
      await this.#crew.start()
    } catch (error) {
      await this.abort()
      await this.#letGo()
      throw error
    }
    this.#notReady = ''
    this.#log.info({ event: 'ready', workers: this.configuration.workers, message: 'ready' })
  }

  /** It is ready once all workers have been, and stays so as long as there is one: the others are replaced meanwhile. */
  whyNotReady(): string {
    if (this.#notReady !== '') return this.#notReady
    return this.#crew.ready === 0 ? 'no worker is ready' : ''
  }

  async metrics(): Promise<{ type: string; body: string }> {
    this.#metrics ??= this.#loadMetrics()
    const metrics = await this.#metrics
    for (const [worker, figures] of await this.#crew.ask('figures')) {
      metrics.take(worker, figures as Figures)
    }
    return { type: metrics.contentType, body: await metrics.page() }
  }

  mode(): Mode {
    return this.#mode ?? this.configuration.mode
  }

  setMode(mode: Mode): void {
    this.#mode = mode
    this.#crew.tell({ kind: 'mode', mode })
  }

  /** Stops accepting; open connections go on. Safe to call twice. */
  drain(): void {
    if (!this.#startDraining()) return
    this.#crew.tell({ kind: 'drain' })
  }

  quit(): void {
    // The answer to who asked goes first.
    setImmediate(this.#onQuit)
  }

  /** Resets every connection and ends all workers at once. */
  async abort(): Promise<void> {
    await this.#crew.abort()
  }

  /** Drains, waits for open connections up to the grace, and ends all workers; rejects if one did not end in order. */
  async stop(): Promise<void> {
    this.#startDraining()
    try {
      await this.#crew.stop(this.configuration.drainGrace)
    } finally {
      await this.#letGo()
    }
    this.#log.info({ event: 'stopped', message: 'stopped' })
  }

  onStarted(member: Member): void {
    member.tell({ kind: 'start', settings: this.#settings })
  }

  onReady(member: Member): void {
    if (this.#mode !== undefined) member.tell({ kind: 'mode', mode: this.#mode })
  }

  onBind(member: Member, { id, address, nth }: FromWorker & { readonly kind: 'bind' }): void {
    try {
      const handle = this.#bindings?.get(address, nth)
      member.tell({ kind: 'bound', id, errno: '' }, handle)
    } catch (error) {
      const { code = 'UNKNOWN' } = error as NodeJS.ErrnoException
      member.tell({ kind: 'bound', id, errno: code })
    }
  }

  onEnded({ number }: Member): void {
    void this.#metrics?.then((metrics) => {
      metrics.drop(number)
    })
  }

  /** False if it drains already. */
  #startDraining(): boolean {
    if (this.#notReady === 'draining') return false
    this.#notReady = 'draining'
    // Before the workers close theirs: connections that nobody would ever take must not be completed by the kernel.
    this.#bindings?.close()
    this.#crew.retire()
    this.#log.info({ event: 'draining', message: 'draining' })
    return true
  }

  async #startAdmin(): Promise<void> {
    const { admin, metrics } = this.configuration
    const routes: Routes = {
      ...controlRoutes(this),
      'GET /endpoints': async () =>
        json(mergedEndpoints([...(await this.#crew.ask('endpoints')).values()])),
    }
    this.#settings = {
      ...this.#settings,
      // As they are bound: a worker must know which ports are the proxy's own.
      admin: await this.#serve('admin', admin, new AdminServer(routes)),
      metrics: await this.#serve('metrics', metrics, new AdminServer(publicRoutes(this), true)),
    }
  }

  async #serve(
    key: string,
    address: SocketAddress | undefined,
    server: AdminServer,
  ): Promise<SocketAddress | undefined> {
    if (address === undefined) return undefined
    this.#servers.push(server)
    try {
      return await server.listen(address)
    } catch (cause) {
      const where = formatAddress(address.ip, address.port)
      throw new MeshError('configuration-invalid', { key, address: where }, cause)
    }
  }

  async #loadMetrics(): Promise<PooledMetrics> {
    const { PooledMetrics } = await import('./pooled-metrics.ts')
    const crew = this.#crew
    return new PooledMetrics(
      () => crew.ready,
      () => crew.restarts,
    )
  }

  async #letGo(): Promise<void> {
    this.#bindings?.close()
    for (const server of this.#servers) server.close()
    ;(await this.#metrics)?.stop()
  }
}

/** What one of several workers starts with: its part of what the whole proxy may have. */
function shareOf(settings: Settings): Settings {
  const { workers, maxConnections, inbound } = settings
  const { concurrency } = inbound
  const { limit } = concurrency
  const share = limit === undefined ? undefined : Math.ceil(limit / workers)
  const min = Math.min(concurrency.min, share ?? concurrency.min)
  return {
    ...settings,
    maxConnections: Math.ceil(maxConnections / workers),
    inbound: { ...inbound, concurrency: { ...concurrency, limit: share, min } },
  }
}
