// As much of WebSocket (RFC 6455) as the shop needs: the handshake, and text messages of up to 125 bytes.
//
// By hand, for a few lines at both ends are all that is wanted, and no package.

import { createHash, randomBytes } from 'node:crypto'
import { get, type IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

const MAGIC = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const TIMEOUT = 4000
const TEXT = 0x81
const CLOSE = 0x88

export interface Spoken {
  /** 101 if the server switched to WebSocket, and proved that it meant this client. */
  readonly status: number
  readonly isProved: boolean
  /** What came back for each message. */
  readonly replies: readonly string[]
  readonly error?: string
}

/** The server's end: answers each message with what `reply` makes of it. */
export function acceptWebSocket(
  request: IncomingMessage,
  socket: Duplex,
  reply: (text: string) => string,
): void {
  socket.on('error', () => socket.destroy())
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${proof(request.headers['sec-websocket-key'] ?? '')}\r\n\r\n`,
  )
  eachFrame(socket, Buffer.alloc(0), (kind, text) => {
    if (kind === TEXT) socket.write(frame(TEXT, reply(text), false))
    else socket.end(frame(CLOSE, '', false))
  })
}

/** The client's end: says one message after the other, each once the one before is answered, and closes. */
export async function speakWebSocket(url: string, messages: readonly string[]): Promise<Spoken> {
  const key = randomBytes(16).toString('base64')
  const headers = {
    ...{ connection: 'Upgrade', upgrade: 'websocket' },
    ...{ 'sec-websocket-version': '13', 'sec-websocket-key': key },
  }
  return await new Promise((resolve) => {
    const replies: string[] = []
    let status = 0
    let isProved = false
    const settle = (error?: string): void => {
      resolve({ status, isProved, replies, ...(error === undefined ? {} : { error }) })
    }
    const request = get(url, { agent: false, headers, timeout: TIMEOUT }, (response) => {
      status = response.statusCode ?? 0
      response.resume()
      settle('not switched')
    })
    request.on('timeout', () => request.destroy(new Error('no answer in time')))
    request.on('error', (error) => {
      settle(error.message)
    })
    request.on('upgrade', (response, socket, first) => {
      status = response.statusCode ?? 0
      isProved = response.headers['sec-websocket-accept'] === proof(key)
      const say = (): void => {
        const message = messages[replies.length]
        socket.write(frame(message === undefined ? CLOSE : TEXT, message ?? '', true))
      }
      eachFrame(socket, first, (kind, text) => {
        if (kind !== TEXT) return
        replies.push(text)
        say()
      })
      socket.setTimeout(TIMEOUT, () => socket.destroy(new Error('no message in time')))
      socket.on('end', () => socket.end())
      socket.on('error', (error) => {
        settle(error.message)
      })
      socket.on('close', () => {
        settle()
      })
      say()
    })
  })
}

function proof(key: string): string {
  return createHash('sha1').update(`${key}${MAGIC}`).digest('base64')
}

/** A whole message; a client's is masked (section 5.3). */
function frame(kind: number, text: string, isMasked: boolean): Buffer {
  const payload = Buffer.from(text)
  const mask = isMasked ? randomBytes(4) : Buffer.alloc(0)
  const size = payload.length + (isMasked ? 0x80 : 0)
  return Buffer.concat([Buffer.from([kind, size]), mask, masked(payload, mask)])
}

function masked(payload: Buffer, mask: Buffer): Buffer {
  return Buffer.from(payload.map((byte, at) => byte ^ (mask[at % 4] ?? 0)))
}

/** Calls back for each message, however the bytes come. */
function eachFrame(
  socket: Duplex,
  first: Buffer,
  take: (kind: number, text: string) => void,
): void {
  let unread = first
  const read = (): void => {
    for (;;) {
      const [kind, size] = unread
      if (kind === undefined || size === undefined) return
      const start = size >= 0x80 ? 6 : 2
      const end = start + (size & 0x7f)
      if (unread.length < end) return
      const text = masked(unread.subarray(start, end), unread.subarray(2, start)).toString()
      unread = unread.subarray(end)
      take(kind, text)
    }
  }
  socket.on('data', (part: Buffer) => {
    unread = Buffer.concat([unread, part])
    read()
  })
  read()
}
