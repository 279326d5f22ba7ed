// A certificate chain and its key in two files: read, judged, and read again when they change.
//
// They are looked at every few seconds, not watched: the mounts that certificates come from replace symbolic links and
// are not told of by every kernel. What changed is read once it has been left alone from one look to the next, since two
// files are not written at once. A pair that cannot be served is told of and otherwise ignored: the last good one stays.

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import type { Clock, Timer } from '../../lib/clock.ts'
import type { Millis } from '../../lib/duration.ts'
import { Problems } from '../../lib/problems.ts'
import { readTextFile } from '../../lib/text-file.ts'

const MAX_FILE_BYTES = 262_144
export const LOOK_EVERY: Millis = 2000

/** Where they are, in PEM. */
export interface CertificatePaths {
  /** The server's certificate, and behind it those that lead to a trusted one. */
  readonly certificate: string
  readonly key: string
}

/** What the files hold, good to be served. */
export interface Certified {
  readonly certificate: string
  readonly key: string
  /** Milliseconds since 1970 after which no client takes it. */
  readonly expires: number
}

/** Who is told; must not throw. */
export interface CertificateListener {
  changed(certified: Certified): void
  /** The files are not good: what was there stays in force. */
  refused(problems: Problems): void
}

export class CertificateFiles {
  readonly #key: string
  readonly #paths: CertificatePaths
  readonly #listener: CertificateListener
  readonly #timer: Timer
  #isBusy = false
  /** The signature of the last look, and that of what was read last. */
  #seen = ''
  #read = ''
  #current: Certified | undefined

  /** `key` is where the settings name them, for messages. */
  constructor(key: string, paths: CertificatePaths, clock: Clock, listener: CertificateListener) {
    this.#key = key
    this.#paths = paths
    this.#listener = listener
    this.#timer = clock.every(LOOK_EVERY, () => {
      void this.look()
    })
  }

  /** Reads them for the first time; undefined after a problem. */
  async start(problems: Problems): Promise<Certified | undefined> {
    this.#isBusy = true
    this.#seen = await this.#signature()
    this.#read = this.#seen
    this.#current = await this.#load(problems)
    this.#isBusy = false
    return this.#current
  }

  /** Whether there is something new. */
  async look(): Promise<void> {
    if (this.#isBusy) return
    this.#isBusy = true
    const before = this.#seen
    this.#seen = await this.#signature()
    if (this.#seen === before && this.#seen !== this.#read) await this.#take()
    this.#isBusy = false
  }

  stop(): void {
    this.#timer.cancel()
    this.#isBusy = true
  }

  async #take(): Promise<void> {
    this.#read = this.#seen
    const problems = new Problems()
    const found = await this.#load(problems)
    if (found === undefined) {
      this.#listener.refused(problems)
      return
    }
    const { certificate, key } = this.#current ?? {}
    if (found.certificate === certificate && found.key === key) return
    this.#current = found
    this.#listener.changed(found)
  }

  async #load(problems: Problems): Promise<Certified | undefined> {
    const shown = {
      certificate: `${this.#key}.certificate ${this.#paths.certificate}`,
      key: `${this.#key}.key ${this.#paths.key}`,
    }
    const read = async (which: 'certificate' | 'key'): Promise<string | undefined> =>
      await readTextFile(this.#paths[which], MAX_FILE_BYTES, problems, shown[which])
    const [certificate, key] = [await read('certificate'), await read('key')]
    if (certificate === undefined || key === undefined) return undefined
    return judge(certificate, key, shown, problems)
  }

  /** Another one whenever one of the files may be another one; they may be absent, too. */
  async #signature(): Promise<string> {
    const { certificate, key } = this.#paths
    return `${await signatureOf(certificate)} ${await signatureOf(key)}`
  }
}

async function signatureOf(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
    return [dev, ino, size, mtimeNs, ctimeNs].join('/')
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown'
  }
}

function judge(
  certificate: string,
  key: string,
  shown: CertificatePaths,
  problems: Problems,
): Certified | undefined {
  const leaf = attempt(() => new X509Certificate(certificate))
  const secret = attempt(() => createPrivateKey(key))
  if (leaf === undefined) problems.add(shown.certificate, 'holds no certificate in PEM')
  if (secret === undefined) {
    problems.add(shown.key, 'holds no private key in PEM, or one with a passphrase')
  }
  if (leaf === undefined || secret === undefined) return undefined
  const refusal = whyUnservable(leaf, secret, certificate, key)
  if (refusal === '') return { certificate, key, expires: Date.parse(leaf.validTo) }
  problems.add(shown.key, refusal)
  return undefined
}

/** Empty if it can be. */
function whyUnservable(
  leaf: X509Certificate,
  secret: KeyObject,
  certificate: string,
  key: string,
): string {
  if (!leaf.checkPrivateKey(secret)) return 'is not the key of the certificate'
  try {
    createSecureContext({ cert: certificate, key })
    return ''
  } catch (error) {
    // OpenSSL has rules of its own: on the length of keys, and on what follows the first certificate.
    return `cannot be served: ${error instanceof Error ? error.message : String(error)}`
  }
}

function attempt<Value>(make: () => Value): Value | undefined {
  try {
    return make()
  } catch {
    return undefined
  }
}
