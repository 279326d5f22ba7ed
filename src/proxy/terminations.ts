// The listeners that end TLS: their certificates, read at start and again when they change, and what is said of them.
//
// Loaded only where there is such a listener. What becomes of a connection after its handshake is left to the acceptor
// that a plain listener would have, too.

import { formatAddress, type SocketAddress } from '../lib/address.ts'
import type { Clock } from '../lib/clock.ts'
import { MeshError } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import { Problems } from '../lib/problems.ts'
import type { Bind } from './net/bound-handle.ts'
import type { Acceptor, Listener } from './net/connection.ts'
import type { TlsSettings } from './settings.ts'
import type { CounterRegistry, Direction } from './stack/counters.ts'
import { CertificateFiles, type Certified } from './tls/certificate-files.ts'
import { type HandshakeFailed, Termination, type TerminationOptions } from './tls/termination.ts'

/** A listener as the settings have it; `key` is the path to it there. */
export interface TlsListener {
  readonly key: string
  readonly direction: Direction
  readonly tls: TlsSettings
}

export interface TerminationParts {
  readonly clock: Clock
  readonly counters: CounterRegistry
  readonly log: Log
  readonly bind: Bind | undefined
}

interface Made {
  readonly direction: Direction
  readonly termination: Termination
}

export class Terminations {
  readonly #parts: TerminationParts
  readonly #options: TerminationOptions
  readonly #files: CertificateFiles[] = []
  readonly #made = new Map<string, Made>()

  constructor(parts: TerminationParts, options: TerminationOptions) {
    this.#parts = parts
    this.#options = options
  }

  /** Reads the certificates of all listeners. Rejects with a MeshError that has every problem. */
  async load(listeners: readonly TlsListener[]): Promise<void> {
    const problems = new Problems()
    for (const listener of listeners) await this.#load(listener, problems)
    if (problems.any)
      throw new MeshError('configuration-invalid', { problems: problems.toString() })
  }

  /** Undefined for a listener that is none of these. Rejects with an errno error. */
  listen(key: string, address: SocketAddress, acceptor: Acceptor): Promise<Listener> | undefined {
    const made = this.#made.get(key)
    if (made === undefined) return undefined
    const { direction, termination } = made
    const { bind } = this.#parts
    const failed: HandshakeFailed = (client, reason) => {
      this.#failed(direction, client, reason)
    }
    return termination.listen(address, acceptor, failed, bind)
  }

  stop(): void {
    for (const files of this.#files) files.stop()
  }

  async #load({ key, direction, tls }: TlsListener, problems: Problems): Promise<void> {
    const files: CertificateFiles = new CertificateFiles(`${key}.tls`, tls, this.#parts.clock, {
      changed: (certified) => {
        this.#made.get(key)?.termination.renew(certified)
        this.#tell(key, certified)
      },
      refused: (found) => {
        this.#refused(key, found)
      },
    })
    this.#files.push(files)
    const certified = await files.start(problems)
    if (certified === undefined) return
    this.#made.set(key, { direction, termination: new Termination(certified, this.#options) })
    this.#tell(key, certified)
  }

  #tell(key: string, { expires }: Certified): void {
    const line = { event: 'certificate', key, expires: new Date(expires).toISOString() }
    const { clock, log } = this.#parts
    if (expires > clock.wall()) log.info({ ...line, message: `${key} has its certificate` })
    else log.warn({ ...line, message: `the certificate of ${key} has expired` })
  }

  #refused(key: string, problems: Problems): void {
    this.#parts.log.error({
      event: 'certificate-refused',
      key,
      error: 'configuration-invalid',
      problems: problems.list,
      message: `certificate of ${key} refused, the last good one stays in force`,
    })
  }

  #failed(direction: Direction, client: SocketAddress | undefined, reason: string): void {
    const { counters, log } = this.#parts
    counters.countError(direction, 'handshake-failed')
    log.info({
      event: 'refused',
      direction,
      error: 'handshake-failed',
      client: client === undefined ? 'gone' : formatAddress(client.ip, client.port),
      reason,
      message: new MeshError('handshake-failed', { reason }).message,
    })
  }
}
