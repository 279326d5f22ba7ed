// Node's HTTP/2, behind a socket that speaks frames by hand: header blocks of ours go in, what it read of them comes out
// and goes back in blocks of its own.

import { once } from 'node:events'
import {
  createServer,
  type Http2Server,
  type OutgoingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { Flag, FrameType, PREFACE, Setting } from '../../../../../src/proxy/http/h2/protocol.ts'

export interface Asked {
  /** What Node read, in its order: name, value, name, value. */
  readonly raw: readonly string[]
  /** Node's block of the answer. */
  readonly block: Buffer
}

const HEAD = 9

interface Frame {
  readonly type: number
  readonly flags: number
  readonly id: number
  readonly payload: Buffer
}

function frame(type: number, flags: number, id: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(HEAD)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(id, 5)
  return Buffer.concat([head, payload])
}

function setting(id: number, value: number): Buffer {
  const bytes = Buffer.alloc(6)
  bytes.writeUInt16BE(id, 0)
  bytes.writeUInt32BE(value, 2)
  return bytes
}

export class ReferencePeer {
  #server: Http2Server
  #socket: Socket
  #received: Buffer = Buffer.alloc(0)
  #id = -1
  /** What it answers with next. */
  answer: OutgoingHttpHeaders = {}
  #raw: readonly string[] = []

  private constructor(server: Http2Server, socket: Socket) {
    this.#server = server
    this.#socket = socket
    server.on('stream', (stream: ServerHttp2Stream, _: unknown, __: number, raw: string[]) => {
      this.#raw = raw
      stream.respond(this.answer, { endStream: true })
    })
  }

  /** `itsTable` is what Node says of its table, `ourTable` what it is told of ours. */
  static async open(itsTable: number, ourTable: number): Promise<ReferencePeer> {
    const server = createServer({ settings: { headerTableSize: itsTable } })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    const peer = new ReferencePeer(server, socket)
    socket.write(PREFACE)
    peer.settings(ourTable)
    const theirs = await peer.#next()
    if (theirs.type !== FrameType.settings) throw new Error('SETTINGS come first')
    socket.write(frame(FrameType.settings, Flag.ack, 0, Buffer.alloc(0)))
    return peer
  }

  /** Tells it another size of our table. */
  settings(ourTable: number): void {
    const payload = setting(Setting.headerTableSize, ourTable)
    this.#socket.write(frame(FrameType.settings, 0, 0, payload))
  }

  /** Sends a block as a request, and waits for the answer. Throws if Node does not take it. */
  async ask(block: Buffer): Promise<Asked> {
    this.#id += 2
    const flags = Flag.endHeaders | Flag.endStream
    this.#socket.write(frame(FrameType.headers, flags, this.#id, block))
    for (;;) {
      const { type, id, payload } = await this.#next()
      if (type === FrameType.headers && id === this.#id) return { raw: this.#raw, block: payload }
      if (type === FrameType.rstStream || type === FrameType.goaway) {
        throw new Error(`it refuses: ${payload.toString('hex')} ${payload.toString('latin1')}`)
      }
    }
  }

  close(): void {
    this.#socket.destroy()
    this.#server.close()
  }

  async #next(): Promise<Frame> {
    for (;;) {
      const bytes = this.#received
      const end = bytes.length < HEAD ? HEAD : HEAD + bytes.readUIntBE(0, 3)
      if (bytes.length >= end) {
        this.#received = bytes.subarray(end)
        const [type, flags] = [bytes[3] ?? 0, bytes[4] ?? 0]
        return { type, flags, id: bytes.readUInt32BE(5), payload: bytes.subarray(HEAD, end) }
      }
      const [more] = (await once(this.#socket, 'data')) as [Buffer]
      this.#received = Buffer.concat([bytes, more])
    }
  }
}
