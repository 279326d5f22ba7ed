// A TCP connection on a libuv handle: reads into buffers of ours, writes without waiting for a turn of the loop.
//
// In the common case a chunk costs one read, one write and nothing else: no stream, no allocation (the view and the
// write request of the last chunk are used again), no callback of the write, which the kernel takes at once. Only a
// write that the kernel does not take whole needs a request of its own and a wait. Where the handle comes from is
// left to raw-sockets.ts.

import type { SocketAddress } from '../../lib/address.ts'
import {
  type Connection,
  FAILED,
  NO_RECEIVER,
  PENDING,
  type Receiver,
  WRITTEN,
  type WriteResult,
} from './connection.ts'
import type { AddressInfo, Internals, Request, TcpHandle } from './node-internals.ts'
import { errnoName } from './node-internals.ts'
import { type ReadBuffers, SMALL } from './read-buffers.ts'

const UV_EOF = -4095
/** After so many reads in a row that a small buffer would have held, the large one goes back. */
const SMALL_READS_TO_SHRINK = 4
/** Each change outside of a read leaves 48 bytes in the runtime until the connection ends, so they are counted. */
const MAX_RESTS = 1000

/** What all raw connections of a process share. */
export interface RawContext {
  readonly internals: Internals
  readonly buffers: ReadBuffers
  /** A write request that no write is using. */
  spareWrite: Request
}

export class RawConnection implements Connection {
  receiver: Receiver = NO_RECEIVER
  readonly #handle: TcpHandle
  readonly #context: RawContext
  #buffer: Buffer
  /** The part of the buffer that the last read filled: the next read of the same size needs no new view. */
  #view: Buffer
  #reading = false
  /** What was read last is somebody else's. */
  #isLeft = false
  /** The receiver is being told of a read: what it was given stays where it is, even if it closes the connection. */
  #isTelling = false
  #closed = false
  #smallReads = 0
  #rests = 0
  #readEndSeen = false
  /** True from asking for our FIN until it is sent. */
  #ending = false
  #endSent = false
  /** Why the write side is broken, 0 as long as it is not. */
  #writeFailure = 0

  constructor(handle: TcpHandle, context: RawContext) {
    this.#handle = handle
    this.#context = context
    this.#buffer = context.buffers.takeSmall()
    this.#view = this.#buffer
    handle.owner = this
    handle.onread = onRead
    handle.useUserBuffer(this.#buffer)
  }

  get fd(): number {
    return this.#closed ? -1 : this.#handle.fd
  }

  remote(): SocketAddress | undefined {
    const found: AddressInfo = {}
    return !this.#closed && this.#handle.getpeername(found) === 0 ? toAddress(found) : undefined
  }

  local(): SocketAddress | undefined {
    const found: AddressInfo = {}
    return !this.#closed && this.#handle.getsockname(found) === 0 ? toAddress(found) : undefined
  }

  readStart(): void {
    if (this.#closed || this.#reading) return
    this.#reading = true
    this.#handle.readStart()
  }

  readStop(): void {
    if (this.#closed || !this.#reading) return
    this.#reading = false
    this.#handle.readStop()
  }

  write(chunk: Uint8Array): WriteResult {
    if (this.#closed) return FAILED
    const context = this.#context
    const request = context.spareWrite
    const status = this.#handle.writeBuffer(request, chunk)
    if (status !== 0) {
      this.#writeBroke(status)
      return FAILED
    }
    if (context.internals.state[context.internals.writeIsAsync] === 0) return WRITTEN
    context.spareWrite = context.internals.newWrite()
    request.owner = this
    request.kept = chunk
    request.oncomplete = onWritten
    return PENDING
  }

  end(): void {
    if (this.#closed) return
    this.#endSent = true
    const request = this.#context.internals.newShutdown()
    request.owner = this
    request.oncomplete = onShutdown
    const status = this.#handle.shutdown(request)
    if (status === 0) this.#ending = true
    else this.finished(status)
  }

  // A connection that was not ended from here loses its peer's address only by a reset or a failed keepalive.
  isGone(): boolean {
    return !this.#closed && !this.#reading && !this.#endSent && this.remote() === undefined
  }

  leave(): void {
    this.#isLeft = true
  }

  rest(): void {
    if (this.#closed || !this.#reading || this.#buffer.length === SMALL) return
    if (this.#rests === MAX_RESTS) return
    this.#rests += 1
    this.#handle.useUserBuffer(this.#swap(this.#context.buffers.takeSmall()))
  }

  close(): void {
    if (this.#closed) return
    this.#release()
    this.#handle.close()
  }

  reset(): void {
    if (this.#closed) return
    this.#release()
    // libuv refuses a reset while a FIN is on its way, and Node would then not close the handle either, ever. All
    // bytes were sent before that FIN, so that it may stand.
    if (this.#ending) this.#handle.close()
    else this.#handle.reset()
  }

  /** A read is done. Gives the buffer for the next one if it is to be another. */
  readDone(): Buffer | undefined {
    const { state, readResult } = this.#context.internals
    const size = state[readResult] ?? 0
    if (size > 0) return this.#received(size)
    if (size < 0) this.#readEnded(size)
    return undefined
  }

  written(status: number): void {
    if (this.#closed) return
    if (status === 0) this.receiver.onDrain(this)
    else this.#writeBroke(status)
  }

  finished(status: number): void {
    this.#ending = false
    if (this.#closed) return
    // The peer is gone already: what the FIN would say it knows.
    if (status === 0 || errnoName(status) === 'ENOTCONN') this.receiver.onFinished(this)
    else this.#writeBroke(status)
  }

  tellFailure(): void {
    if (!this.#closed) this.receiver.onError(this, errnoName(this.#writeFailure))
  }

  #received(size: number): Buffer | undefined {
    const buffer = this.#buffer
    if (size !== this.#view.length) {
      this.#view = size === buffer.length ? buffer : buffer.subarray(0, size)
    }
    this.#isTelling = true
    this.receiver.onData(this, this.#view)
    this.#isTelling = false
    if (this.#isLeft) return this.#leave(size)
    if (this.#closed) {
      this.#context.buffers.giveBack(this.#buffer)
      return undefined
    }
    // A chunk that is still being written must stay where it is.
    if (!this.#reading) return undefined
    if (buffer.length === SMALL) {
      return size === SMALL && this.#rests < MAX_RESTS
        ? this.#swap(this.#context.buffers.takeLarge())
        : undefined
    }
    if (size > SMALL) {
      this.#smallReads = 0
      return undefined
    }
    this.#smallReads += 1
    if (this.#smallReads < SMALL_READS_TO_SHRINK) return undefined
    return this.#swap(this.#context.buffers.takeSmall())
  }

  /** Not given back: whoever needs it lets go of it one day. */
  #leave(size: number): Buffer | undefined {
    this.#isLeft = false
    if (this.#closed) return undefined
    const { buffers } = this.#context
    const next = size < SMALL ? buffers.takeSmall() : buffers.takeLarge()
    this.#buffer = next
    this.#view = next
    return next
  }

  #readEnded(status: number): void {
    this.#reading = false
    this.#readEndSeen = true
    if (this.#writeFailure !== 0) this.tellFailure()
    else if (status === UV_EOF) this.receiver.onEnd(this)
    else this.receiver.onError(this, errnoName(status))
  }

  #swap(next: Buffer): Buffer {
    this.#context.buffers.giveBack(this.#buffer)
    this.#buffer = next
    this.#view = next
    this.#smallReads = 0
    return next
  }

  // A peer that answers early and resets has sent something worth reading: the failure is told when the read side
  // has given it all (RFC 9112 section 9.6 describes the loss otherwise). If that is over, it is told in a moment,
  // for the caller does not expect to be called back in the middle of its write.
  #writeBroke(status: number): void {
    if (this.#writeFailure !== 0) return
    this.#writeFailure = status
    if (this.#readEndSeen) setImmediate(tellFailure, this)
  }

  #release(): void {
    this.#closed = true
    this.#reading = false
    this.receiver = NO_RECEIVER
    if (!this.#isLeft && !this.#isTelling) this.#context.buffers.giveBack(this.#buffer)
  }
}

function onRead(this: TcpHandle): Buffer | undefined {
  return (this.owner as RawConnection).readDone()
}

function onWritten(this: Request, status: number): void {
  ;(this.owner as RawConnection).written(status)
}

function onShutdown(this: Request, status: number): void {
  ;(this.owner as RawConnection).finished(status)
}

function tellFailure(connection: RawConnection): void {
  connection.tellFailure()
}

/** The kernel writes addresses in normal form already, but for IPv4 ones on a dual-stack socket. */
export function toAddress({ address, port }: AddressInfo): SocketAddress | undefined {
  if (address === undefined || port === undefined) return undefined
  const mapped = address.startsWith('::ffff:') && address.includes('.')
  return { ip: mapped ? address.slice(7) : address, port }
}
