// The data plane of one pod, put together: sockets, discovery, both directions, telemetry, the admin port; started,
// drained, ended.
//
// Starting is all or nothing: if one address cannot be bound, those already bound are let go and the error names it.

import type { Resources } from '../api/resources.ts'
import { formatAddress, type SocketAddress } from '../lib/address.ts'
import type { Clock } from '../lib/clock.ts'
import { descriptorLimit } from '../lib/descriptors.ts'
import { MeshError } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import type { Problems } from '../lib/problems.ts'
import type { Random } from '../lib/random.ts'
import { prepareOriginalDestination } from '../lib/socket-option.ts'
import { type AdminSubject, adminRoutes, publicRoutes } from './admin/admin-routes.ts'
import { AdminServer } from './admin/admin-server.ts'
import { Catalog } from './discovery/catalog.ts'
import { FileSource } from './discovery/file-source.ts'
import { Inbound } from './inbound.ts'
import type { Bind } from './net/bound-handle.ts'
import type { Acceptor, Listener } from './net/connection.ts'
import { redirectedFrom } from './net/original-destination.ts'
import { chooseSockets, type SocketChoice } from './net/sockets.ts'
import { Outbound, type Parts } from './outbound.ts'
import { Reception } from './reception.ts'
import { TraceDeadlines } from './resilience/trace-deadlines.ts'
import type { Settings } from './settings.ts'
import { CounterRegistry } from './stack/counters.ts'
import type { Mode } from './stack/destination.ts'
import type { ResilienceLine } from './stack/resilience-counters.ts'
import type { Figures, Metrics } from './telemetry/metrics.ts'
import type { Observer } from './telemetry/observer.ts'
import type { Terminations, TlsListener } from './terminations.ts'
import { affordable, Sessions } from './upstream/sessions.ts'

export class Sidecar implements AdminSubject {
  readonly configuration: Settings
  readonly routes: Catalog
  readonly #clock: Clock
  readonly #log: Log
  readonly #choice: SocketChoice
  readonly #counters = new CounterRegistry()
  readonly #sessions: Sessions
  readonly #reception: Reception
  readonly #traces = new TraceDeadlines()
  #outbound: Outbound | undefined
  #inbound: Inbound | undefined
  #terminations: Terminations | undefined
  /** Loaded when somebody asks for the first time: 8 MB that a sidecar nobody scrapes does not need. */
  #metrics: Promise<Metrics> | undefined
  readonly #listeners: Listener[] = []
  readonly #servers: AdminServer[] = []
  #source: FileSource | undefined
  #observer: Observer | undefined
  #notReady = 'starting'
  readonly #random: Random
  readonly #onQuit: () => void
  /** Given where a supervisor has the listening sockets, and the admin and metrics ports too. */
  readonly #bind: Bind | undefined

  /**
   * `onQuit` is called when the admin port is told to end the process. `bind` makes it a worker: listening sockets come
   * from there, and the admin and metrics ports are the supervisor's.
   */
  constructor(
    settings: Settings,
    clock: Clock,
    random: Random,
    log: Log,
    onQuit: () => void,
    bind?: Bind,
  ) {
    this.configuration = settings
    this.#clock = clock
    this.#log = log
    this.#random = random
    this.#onQuit = onQuit
    this.#bind = bind
    this.#choice = chooseSockets(settings.sockets, undefined, bind)
    this.routes = new Catalog(this.#counters, { clock, random, log })
    const limits = { ...settings, maxConnections: this.#affordableConnections() }
    this.#sessions = new Sessions(this.#choice.sockets, clock, limits, this.#counters, log)
    this.#sessions.eachTick((now) => {
      this.routes.sweep(now)
    })
    this.#reception = new Reception(
      this.#sessions,
      settings.mode,
      this.#counters,
      log,
      random,
      settings.http2,
    )
  }

  /** Rejects with a MeshError `configuration-invalid`, or `manifest-invalid` for what discovery finds. */
  async start(): Promise<void> {
    try {
      await this.#loadCertificates()
      await this.#startDiscovery()
      await this.#startAdmin()
      this.#observer = await this.#makeObserver()
      await this.#startOutbound()
      await this.#startInbound()
    } catch (error) {
      await this.#letGo()
      throw error
    }
    this.#notReady = ''
    this.#log.info({
      event: 'ready',
      sockets: this.#choice.sockets.kind,
      ...(this.#choice.reason === '' ? {} : { socketsReason: this.#choice.reason }),
      message: 'ready',
    })
  }

  whyNotReady(): string {
    return this.#notReady
  }

  async metrics(): Promise<{ type: string; body: string }> {
    this.#metrics ??= this.#loadMetrics()
    const metrics = await this.#metrics
    return { type: metrics.contentType, body: await metrics.page() }
  }

  /** What `metrics` shows, before it is written out: for a supervisor. */
  async figures(): Promise<Figures> {
    this.#metrics ??= this.#loadMetrics()
    return await (await this.#metrics).figures()
  }

  now(): number {
    return this.#clock.now()
  }

  mode(): Mode {
    return this.#reception.mode
  }

  /** For connections that begin after it, to destinations whose policy does not say. */
  setMode(mode: Mode): void {
    const before = this.#reception.mode
    this.#reception.mode = mode
    this.#log.info({ event: 'mode', mode, before, message: `mode is ${mode}, was ${before}` })
  }

  /** Stops accepting; open connections go on. Safe to call twice. */
  drain(): void {
    if (this.#notReady === 'draining') return
    this.#notReady = 'draining'
    this.#reception.drain()
    // What the kernel has accepted for us already is taken in; closing would reset it.
    this.#clock.afterPoll(() => {
      for (const listener of this.#listeners) listener.close()
    })
    this.#log.info({ event: 'draining', open: this.#sessions.size, message: 'draining' })
  }

  quit(): void {
    // The answer to who asked goes first.
    setImmediate(this.#onQuit)
  }

  /** Resets every connection at once. */
  abort(): void {
    this.#sessions.abort()
  }

  /** Drains, waits for open connections up to the grace, and lets go of everything. */
  async stop(): Promise<void> {
    this.drain()
    await new Promise<void>((resolve) => {
      this.#clock.afterPoll(resolve)
    })
    await this.#sessions.drain(this.configuration.drainGrace)
    await this.#letGo()
    this.#log.info({ event: 'stopped', message: 'stopped' })
  }

  #affordableConnections(): number {
    const wanted = this.configuration.maxConnections
    const descriptors = descriptorLimit()
    const most = affordable(wanted, descriptors)
    if (most < wanted) {
      const message = `file descriptors (${descriptors}) are enough for ${most} connections, not for ${wanted}`
      this.#log.warn({ event: 'limit-lowered', maxConnections: most, descriptors, message })
    }
    return most
  }

  /** Loaded only where somebody wants to know of single requests. */
  async #makeObserver(): Promise<Observer | undefined> {
    const { accessLog, tracing } = this.configuration
    if (accessLog === 'off' && tracing.endpoint === undefined) return undefined
    const { makeObserver } = await import('./telemetry/observer.ts')
    return await makeObserver(this.configuration, this.#clock, this.#random, this.#log)
  }

  async #loadMetrics(): Promise<Metrics> {
    const { Metrics } = await import('./telemetry/metrics.ts')
    const { workload } = this.configuration
    return new Metrics(this.#counters, () => this.#sessions.size, {
      workload,
      spans: this.#observer?.spans,
      destinations: () => this.routes.table.services(),
      services: () => this.#services(),
      now: () => this.now(),
      applications: () => this.#inbound?.applications() ?? [],
    })
  }

  *#services(): Iterable<ResilienceLine> {
    yield* this.routes.table.services()
    if (this.#outbound !== undefined) yield this.#outbound.outside
    if (this.#inbound !== undefined) yield this.#inbound.local
  }

  /** Loaded only where a listener ends TLS. */
  async #loadCertificates(): Promise<void> {
    const wanted = tlsListeners(this.configuration)
    if (wanted.length === 0) return
    const { Terminations } = await import('./terminations.ts')
    const [clock, log, counters, bind] = [this.#clock, this.#log, this.#counters, this.#bind]
    this.#terminations = new Terminations({ clock, log, counters, bind }, this.configuration)
    await this.#terminations.load(wanted)
  }

  async #startDiscovery(): Promise<void> {
    const { files } = this.configuration.discovery
    if (files === undefined) return
    this.#source = new FileSource(files, this.#clock, {
      changed: (resources, warnings) => {
        this.#take(resources, warnings)
      },
      refused: (problems) => {
        this.#log.error({
          event: 'discovery-refused',
          error: 'manifest-invalid',
          problems: problems.list,
          message: 'manifests refused, the last good state stays in force',
        })
      },
    })
    const problems = await this.#source.start()
    if (problems.any) throw new MeshError('manifest-invalid', { problems: problems.toString() })
  }

  #take(resources: Resources, warnings: Problems): void {
    this.routes.update(resources, this.#clock.now())
    for (const { path, message } of warnings.list) {
      this.#log.warn({ event: 'discovery-warning', path, message })
    }
    this.#log.info({
      event: 'discovery',
      services: resources.services.length,
      endpointSlices: resources.endpointSlices.length,
      trafficPolicies: resources.trafficPolicies.length,
      message: 'new state in force',
    })
  }

  async #startAdmin(): Promise<void> {
    const { admin, metrics } = this.configuration
    await this.#serve('admin', admin, new AdminServer(adminRoutes(this)))
    await this.#serve('metrics', metrics, new AdminServer(publicRoutes(this), true))
  }

  async #serve(
    key: string,
    address: SocketAddress | undefined,
    server: AdminServer,
  ): Promise<void> {
    if (address === undefined) return
    if (this.#bind !== undefined) {
      this.#sessions.own(address)
      return
    }
    this.#servers.push(server)
    this.#sessions.own(await bound(key, address, server.listen(address)))
  }

  async #startOutbound(): Promise<void> {
    const { outbound: rules, egress } = this.configuration
    const routes = this.routes
    const outbound = new Outbound(this.#parts(), routes, { ...rules, egress })
    this.#outbound = outbound
    if (rules.transparent !== undefined) {
      prepareOriginalDestination()
      const listener = await this.#listen(
        'outbound.transparent',
        rules.transparent,
        outbound.transparent(),
      )
      this.#sessions.own(listener.address)
    }
    for (const [at, { address, service, port }] of rules.listeners.entries()) {
      await this.#listen(`outbound.listeners[${at}]`, address, outbound.explicit(service, port))
    }
  }

  async #startInbound(): Promise<void> {
    const { inbound: rules } = this.configuration
    const inbound = new Inbound(this.#parts(), rules)
    this.#inbound = inbound
    if (rules.transparent !== undefined) {
      prepareOriginalDestination()
      const listener = await this.#listen(
        'inbound.transparent',
        rules.transparent,
        inbound.transparent(),
      )
      this.#sessions.own(listener.address)
    }
    for (const [at, { address, target }] of rules.listeners.entries()) {
      await this.#listen(`inbound.listeners[${at}]`, address, inbound.explicit(target))
    }
  }

  #parts(): Parts {
    return {
      sessions: this.#sessions,
      reception: this.#reception,
      counters: this.#counters,
      originalDestination: redirectedFrom,
      observer: this.#observer,
      traces: this.#traces,
    }
  }

  async #listen(from: string, address: SocketAddress, acceptor: Acceptor): Promise<Listener> {
    const key = from.endsWith(']') ? `${from}.address` : from
    const opening =
      this.#terminations?.listen(from, address, acceptor) ??
      this.#choice.sockets.listen(address, acceptor, this.configuration)
    const listener = await bound(key, address, opening)
    this.#listeners.push(listener)
    const where = formatAddress(listener.address.ip, listener.address.port)
    this.#log.info({ event: 'listening', key, address: where, message: `${key} on ${where}` })
    return listener
  }

  async #letGo(): Promise<void> {
    for (const listener of this.#listeners) listener.close()
    for (const server of this.#servers) server.close()
    this.#terminations?.stop()
    await this.#source?.close()
    this.#reception.stop()
    this.#sessions.stop()
    await this.#observer?.stop()
    ;(await this.#metrics)?.stop()
  }
}

/** The explicit listeners that end TLS. */
function tlsListeners({ outbound, inbound }: Settings): TlsListener[] {
  const found: TlsListener[] = []
  for (const [direction, { listeners }] of Object.entries({ outbound, inbound })) {
    for (const [at, { tls }] of listeners.entries()) {
      if (tls === undefined) continue
      found.push({
        key: `${direction}.listeners[${at}]`,
        direction: direction === 'outbound' ? 'outbound' : 'inbound',
        tls,
      })
    }
  }
  return found
}

/** Waits for a bind; a failure names the key and the address. */
async function bound<T>(key: string, { ip, port }: SocketAddress, binding: Promise<T>): Promise<T> {
  try {
    return await binding
  } catch (cause) {
    throw new MeshError('configuration-invalid', { key, address: formatAddress(ip, port) }, cause)
  }
}
