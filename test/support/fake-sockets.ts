// Sockets without a kernel: the test decides when a connect succeeds, what arrives, and what the kernel takes.
//
// They keep to the contract of the real ones: nothing is told after close, the outcome of a cancelled dial is not
// told, at most one write is pending. A use that breaks the contract throws, so that it fails the test.

import { formatAddress, type SocketAddress } from '../../src/lib/address.ts'
import {
  type Connection,
  type Dial,
  type Dialer,
  FAILED,
  type Listener,
  NO_RECEIVER,
  PENDING,
  type Receiver,
  type Sockets,
  WRITTEN,
  type WriteResult,
} from '../../src/proxy/net/connection.ts'

export class FakeConnection implements Connection {
  receiver: Receiver = NO_RECEIVER
  readonly fd = -1
  /** What was asked of it, in order, such as `readStart`, `write abc`, `end`, `reset`. */
  readonly calls: string[] = []
  /** What the next writes answer; WRITTEN when it is empty. */
  readonly answers: WriteResult[] = []
  reading = false
  closed: '' | 'close' | 'reset' = ''
  pending = false
  ended = false
  /** The peer has vanished without anybody being told. */
  gone = false
  rests = 0
  readonly #remote: SocketAddress | undefined
  readonly #local: SocketAddress | undefined

  constructor(remote?: SocketAddress, local?: SocketAddress) {
    this.#remote = remote
    this.#local = local
  }

  remote(): SocketAddress | undefined {
    return this.closed === '' ? this.#remote : undefined
  }

  local(): SocketAddress | undefined {
    return this.closed === '' ? this.#local : undefined
  }

  isGone(): boolean {
    return this.gone
  }

  readStart(): void {
    this.calls.push('readStart')
    this.reading = true
  }

  readStop(): void {
    this.calls.push('readStop')
    this.reading = false
  }

  write(chunk: Uint8Array): WriteResult {
    if (this.closed !== '') return FAILED
    if (this.pending) throw new Error('a write while another is pending')
    if (this.ended) throw new Error('a write after the end')
    this.calls.push(`write ${Buffer.from(chunk).toString()}`)
    const answer = this.answers.shift() ?? WRITTEN
    this.pending = answer === PENDING
    return answer
  }

  end(): void {
    if (this.closed !== '') return
    if (this.ended) throw new Error('ended twice')
    this.calls.push('end')
    this.ended = true
  }

  leave(): void {
    // Its bytes are nobody else's.
  }

  rest(): void {
    this.rests += 1
  }

  close(): void {
    this.#closeBy('close')
  }

  reset(): void {
    this.#closeBy('reset')
  }

  /** The peer sends; only when somebody reads. */
  arrive(text: string): boolean {
    if (!this.reading || this.closed !== '') return false
    this.receiver.onData(this, Buffer.from(text))
    return true
  }

  /** The peer sends FIN. */
  arriveEnd(): boolean {
    if (!this.reading || this.closed !== '') return false
    this.reading = false
    this.receiver.onEnd(this)
    return true
  }

  drain(): void {
    this.pending = false
    this.receiver.onDrain(this)
  }

  /** Our FIN is out. */
  finish(): void {
    this.receiver.onFinished(this)
  }

  fail(code: string): void {
    this.reading = false
    this.receiver.onError(this, code)
  }

  #closeBy(way: 'close' | 'reset'): void {
    if (this.closed !== '') return
    this.calls.push(way)
    this.closed = way
    this.reading = false
    this.receiver = NO_RECEIVER
  }
}

export class FakeDial implements Dial {
  readonly address: SocketAddress
  readonly local: SocketAddress | undefined
  state: 'open' | 'done' | 'cancelled' = 'open'
  /** Kept for tests of what comes too late: a dial that keeps the contract never uses it after its end. */
  readonly dialer: Dialer

  constructor(address: SocketAddress, dialer: Dialer, local: SocketAddress | undefined) {
    this.address = address
    this.dialer = dialer
    this.local = local
  }

  get target(): string {
    return formatAddress(this.address.ip, this.address.port)
  }

  cancel(): void {
    if (this.state === 'open') this.state = 'cancelled'
  }

  succeed(): FakeConnection {
    this.#done()
    const connection = new FakeConnection(this.address, this.local)
    this.dialer.onConnected(connection)
    return connection
  }

  fail(code: string): void {
    this.#done()
    this.dialer.onConnectFailed(code)
  }

  #done(): void {
    if (this.state !== 'open') throw new Error(`the dial is ${this.state}`)
    this.state = 'done'
  }
}

export class FakeSockets implements Sockets {
  readonly kind = 'raw'
  readonly dials: FakeDial[] = []
  #port = 30_000

  listen(address: SocketAddress): Promise<Listener> {
    return Promise.resolve({ address, close: () => undefined })
  }

  connect(address: SocketAddress, dialer: Dialer): Dial {
    this.#port += 1
    const dial = new FakeDial(address, dialer, { ip: '10.0.0.1', port: this.#port })
    this.dials.push(dial)
    return dial
  }

  /** The dial that was begun last. */
  get last(): FakeDial {
    const dial = this.dials.at(-1)
    if (dial === undefined) throw new Error('nobody has dialled')
    return dial
  }

  /** The dials that are under way. */
  get open(): FakeDial[] {
    return this.dials.filter(({ state }) => state === 'open')
  }
}
