// A worker's side of the channel: it starts an ordinary data plane, does what the supervisor says, and ends with it.
//
// A worker that lost its supervisor drains and ends: nobody would replace it, count it, or ever tell it to stop.

import { formatAddress, type SocketAddress } from '../../lib/address.ts'
import { MeshError } from '../../lib/errors.ts'
import { type EndpointSubject, endpoints } from '../admin/admin-routes.ts'
import { type Bind, errnoError } from '../net/bound-handle.ts'
import type { TcpHandle } from '../net/node-internals.ts'
import type { Settings } from '../settings.ts'
import type { Mode } from '../stack/destination.ts'
import type { Figures } from '../telemetry/metrics.ts'
import type { FromWorker, ToWorker } from './messages.ts'

/** What carries the traffic: a Sidecar. */
export interface DataPlane extends EndpointSubject {
  start(): Promise<void>
  stop(): Promise<void>
  abort(): void
  drain(): void
  figures(): Promise<Figures>
  setMode(mode: Mode): void
}

/** The process that the worker is. */
export interface WorkerHost {
  /** `sent` is called when the message is on its way, or cannot be sent any more. */
  readonly send: (message: FromWorker, sent?: () => void) => void
  /** Builds the data plane, whose listening sockets come from `bind`. */
  readonly build: (settings: Settings, bind: Bind) => DataPlane
  /** Ends the process. */
  readonly end: (status: number) => void
  readonly crash: (error: unknown) => void
}

interface Binding {
  readonly done: (handle: TcpHandle) => void
  readonly failed: (error: Error) => void
}

export class Worker {
  readonly #host: WorkerHost
  readonly #bindings = new Map<number, Binding>()
  readonly #asked = new Map<string, number>()
  #lastId = 0
  #plane: DataPlane | undefined
  #state: 'starting' | 'ready' | 'stopping' = 'starting'

  constructor(host: WorkerHost) {
    this.#host = host
  }

  receive(message: ToWorker, handle?: TcpHandle): void {
    switch (message.kind) {
      case 'start':
        void this.#start(message.settings)
        break
      case 'bound':
        this.#bound(message.id, message.errno, handle)
        break
      case 'ask':
        void this.#answer(message)
        break
      case 'mode':
        this.#plane?.setMode(message.mode)
        break
      case 'drain':
        this.#plane?.drain()
        break
      case 'stop':
        this.#stop()
        break
      case 'abort':
        this.abort()
        this.#host.end(1)
    }
  }

  /** The supervisor is gone. */
  disconnected(): void {
    this.#stop()
  }

  /** Resets every connection. */
  abort(): void {
    this.#plane?.abort()
  }

  async #start(settings: Settings): Promise<void> {
    const { build, send, crash, end } = this.#host
    const bind: Bind = async (address) => await this.#bind(address)
    try {
      this.#plane = build(settings, bind)
      await this.#plane.start()
    } catch (error) {
      if (!(error instanceof MeshError)) {
        crash(error)
        return
      }
      const { problems } = error.context
      const message = typeof problems === 'string' ? problems : error.message
      send({ kind: 'refused', message }, () => {
        end(2)
      })
      return
    }
    if (this.#state === 'starting') this.#state = 'ready'
    send({ kind: 'ready' })
  }

  #stop(): void {
    const { end, crash } = this.#host
    if (this.#state === 'stopping') return
    const carries = this.#state === 'ready'
    this.#state = 'stopping'
    if (!carries || this.#plane === undefined) {
      end(0)
      return
    }
    this.#plane.stop().then(() => {
      end(0)
    }, crash)
  }

  async #bind(address: SocketAddress): Promise<TcpHandle> {
    const key = formatAddress(address.ip, address.port)
    const nth = this.#asked.get(key) ?? 0
    this.#asked.set(key, nth + 1)
    const id = ++this.#lastId
    return await new Promise((resolve, reject) => {
      this.#bindings.set(id, { done: resolve, failed: reject })
      this.#host.send({ kind: 'bind', id, address, nth })
    })
  }

  #bound(id: number, errno: string, handle: TcpHandle | undefined): void {
    const binding = this.#bindings.get(id)
    this.#bindings.delete(id)
    if (handle === undefined) binding?.failed(errnoError(errno === '' ? 'EBADF' : errno))
    else binding?.done(handle)
  }

  async #answer({ id, question }: ToWorker & { readonly kind: 'ask' }): Promise<void> {
    if (this.#plane === undefined) return
    const value = question === 'endpoints' ? endpoints(this.#plane) : await this.#plane.figures()
    this.#host.send({ kind: 'answer', id, value })
  }
}
