// A TCP proxy that spoils connections on demand: slow, silent, cut short, reset. It stands between a proxy under test
// and a server, so that the server stays as it is.
//
// The fault that is set holds for all connections, those that are open included. Bytes that a fault counts are those
// on their way to the client since it was set. Each direction holds one chunk and what its socket has taken, not more.

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

export type Fault =
  | { readonly kind: 'none' }
  /** Each chunk, either way, is passed on `ms` milliseconds late, and the next one read after it. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** Connections are accepted and not read; what was read is held. Nobody is dialled. */
  | { readonly kind: 'stall' }
  /** After so many bytes everything is read, either way, and nothing passed on, ends neither. */
  | { readonly kind: 'black-hole'; readonly after: number }
  /** After so many bytes the client gets RST, and the server too. */
  | { readonly kind: 'reset'; readonly after: number }
  /** After so many bytes the client gets FIN; the server's connection is closed. */
  | { readonly kind: 'cut'; readonly after: number }
  /** So many bytes every `ms` milliseconds, either way. */
  | { readonly kind: 'drip'; readonly bytes: number; readonly ms: number }

/** Milliseconds. A reset that is there with the bytes before it is taken for an end by Node.js. */
const APART = 5

export interface Place {
  readonly host: string
  readonly port: number
}

export class FaultProxy {
  readonly port: number
  readonly #server: Server
  readonly #links: Set<Link>
  #fault: Fault = { kind: 'none' }

  /** Listens at `address` (port 0 for any) and passes on to `target`. */
  static async listen(address: Place, target: Place): Promise<FaultProxy> {
    const links = new Set<Link>()
    const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true })
    server.listen(address.port, address.host)
    await once(server, 'listening')
    const proxy = new FaultProxy(server, links)
    server.on('connection', (socket) => {
      const link = new Link(socket, target, proxy.#fault)
      links.add(link)
      socket.on('close', () => links.delete(link))
    })
    return proxy
  }

  private constructor(server: Server, links: Set<Link>) {
    this.#server = server
    this.#links = links
    this.port = (server.address() as AddressInfo).port
  }

  get fault(): Fault {
    return this.#fault
  }

  set fault(fault: Fault) {
    this.#fault = fault
    for (const link of this.#links) link.suffer(fault)
  }

  /** Connections of clients that are open. */
  get size(): number {
    return this.#links.size
  }

  /** Stops accepting and drops every connection. */
  async close(): Promise<void> {
    for (const link of this.#links) link.destroy()
    if (!this.#server.listening) return
    this.#server.close()
    await once(this.#server, 'close')
  }
}

/** A client's connection and the one to the server. */
class Link {
  readonly #client: Socket
  readonly #target: Place
  readonly #lanes: Lane[] = []
  #server: Socket | undefined
  #fault: Fault
  /** Nothing is passed on: a black hole. */
  #isSwallowed = false
  /** It was reset or cut, and no other fault can come over it. */
  #isOver = false

  constructor(client: Socket, target: Place, fault: Fault) {
    this.#client = client
    this.#target = target
    this.#fault = fault
    this.#server = undefined
    client.on('error', () => undefined)
    client.on('close', (hadError) => {
      this.#end(this.#server, hadError)
    })
    this.suffer(fault)
  }

  suffer(fault: Fault): void {
    if (this.#isOver) return
    this.#fault = fault
    this.#isSwallowed = false
    if ('after' in fault && fault.after === 0) this.#spoil()
    else if (this.#server?.destroyed === true) this.#client.resetAndDestroy()
    else if (this.#server === undefined && fault.kind !== 'stall') this.#dial()
    // Those of a connection that was reset or cut are stopped.
    for (const lane of this.#lanes) lane.suffer(fault, this.#isSwallowed)
  }

  destroy(): void {
    for (const lane of this.#lanes) lane.stop()
    this.#client.destroy()
    this.#server?.destroy()
  }

  #dial(): void {
    const client = this.#client
    const server = connect({ ...this.#target, allowHalfOpen: true, noDelay: true })
    this.#server = server
    server.on('error', () => undefined)
    server.on('close', (hadError) => {
      if (!this.#isSwallowed && !this.#isOver) this.#end(client, hadError)
    })
    const spoil = (): void => {
      this.#spoil()
    }
    client.removeAllListeners('data')
    this.#lanes.push(new Lane(client, server, undefined), new Lane(server, client, spoil))
  }

  #spoil(): void {
    const client = this.#client
    if (this.#fault.kind === 'black-hole') {
      this.#isSwallowed = true
      if (this.#lanes.length === 0) this.#swallow()
      for (const lane of this.#lanes) lane.suffer(this.#fault, true)
      return
    }
    this.#isOver = true
    for (const lane of this.#lanes) lane.stop()
    if (this.#fault.kind === 'reset') {
      client.resetAndDestroy()
      this.#server?.resetAndDestroy()
      return
    }
    this.#server?.destroy()
    // What the client still sends is read, or the kernel would make a reset of the end.
    this.#swallow()
    client.on('end', () => client.destroy())
    client.end()
  }

  #swallow(): void {
    this.#client.removeAllListeners('data')
    this.#client.on('data', () => undefined)
    this.#client.resume()
  }

  /** One side is closed. */
  #end(other: Socket | undefined, hadError: boolean): void {
    for (const lane of this.#lanes) lane.stop()
    if (hadError) other?.resetAndDestroy()
    // Its end was passed on, and what came before it may still be on its way.
    else if (other?.writableEnded === true) other.destroySoon()
    else other?.destroy()
  }
}

/** One direction. */
class Lane {
  readonly #from: Socket
  readonly #to: Socket
  /** Only where bytes are counted. */
  readonly #spoil: (() => void) | undefined
  #fault: Fault = { kind: 'none' }
  #isSwallowed = false
  #isOver = false
  #chunk: Buffer | undefined
  #passed = 0
  #hasEnded = false
  #isWaiting = false
  #timer: NodeJS.Timeout | undefined

  constructor(from: Socket, to: Socket, spoil: (() => void) | undefined) {
    this.#from = from
    this.#to = to
    this.#spoil = spoil
    this.#chunk = undefined
    this.#timer = undefined
    from.on('data', (chunk: Buffer) => {
      from.pause()
      this.#chunk = chunk
      this.#work()
    })
    from.on('end', () => {
      this.#hasEnded = true
      this.#work()
    })
    to.on('drain', () => {
      this.#isWaiting = false
      this.#work()
    })
  }

  suffer(fault: Fault, isSwallowed: boolean): void {
    this.#fault = fault
    this.#isSwallowed = isSwallowed
    this.#passed = 0
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#work()
  }

  stop(): void {
    this.#isOver = true
    clearTimeout(this.#timer)
  }

  #work(): void {
    if (this.#isOver || this.#timer !== undefined) return
    if (this.#isSwallowed) this.#chunk = undefined
    else if (this.#isWaiting) return
    if (this.#fault.kind === 'stall') this.#from.pause()
    else if (this.#chunk !== undefined) this.#pass(this.#chunk, this.#fault)
    else if (this.#hasEnded && !this.#isSwallowed) this.#to.end()
    else this.#from.resume()
  }

  #pass(chunk: Buffer, fault: Fault): void {
    if (fault.kind === 'delay') this.#sendLater(fault.ms, chunk.length)
    else if (fault.kind === 'drip') this.#sendLater(fault.ms, fault.bytes)
    else if ('after' in fault && this.#spoil !== undefined) this.#count(chunk, fault)
    else this.#send(chunk.length)
  }

  #sendLater(ms: number, bytes: number): void {
    this.#later(() => {
      this.#send(bytes)
    }, ms)
  }

  #later(task: () => void, ms: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      task()
    }, ms).unref()
  }

  #send(bytes: number): void {
    const chunk = this.#chunk ?? Buffer.alloc(0)
    this.#chunk = bytes < chunk.length ? chunk.subarray(bytes) : undefined
    this.#isWaiting = !this.#to.write(chunk.subarray(0, bytes))
    this.#work()
  }

  #count(chunk: Buffer, fault: Fault & { after: number }): void {
    const left = fault.after - this.#passed
    this.#passed += Math.min(left, chunk.length)
    if (chunk.length < left) {
      this.#send(chunk.length)
      return
    }
    this.#chunk = left < chunk.length ? chunk.subarray(left) : undefined
    this.#isWaiting = true
    this.#to.write(chunk.subarray(0, left), () => {
      this.#isWaiting = false
      // Unless it was switched meanwhile.
      if (fault !== this.#fault) this.#work()
      else if (fault.kind === 'reset') this.#later(() => this.#spoil?.(), APART)
      else this.#spoil?.()
    })
  }
}
