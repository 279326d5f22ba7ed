// The backend of small answers over HTTP/2, for where nghttpd is not installed: one fixed answer for every request,
// whatever it asks.

import type { Socket } from 'node:net'
import { RESPONSE } from '../h2-blocks.ts'
import {
  answerTo,
  END_HEADERS,
  END_STREAM,
  FRAMES,
  FrameReader,
  type FrameSink,
  frame,
  ownSettings,
  PREFACE,
  setStream,
} from '../h2-frames.ts'
import { ANSWER_BODY } from '../protocol.ts'
import { serve } from './server.ts'

const STREAMS = 1000
const BODY = frame(FRAMES.data, END_STREAM, 0, Buffer.from(ANSWER_BODY))
const FIRST = answer(RESPONSE.first)
const MORE = answer(RESPONSE.more)

function answer(block: Buffer): Buffer {
  return Buffer.concat([frame(FRAMES.headers, END_HEADERS, 0, block), BODY])
}

class Session implements FrameSink {
  readonly #socket: Socket
  readonly #reader = new FrameReader(this, PREFACE)
  #isFirst = true

  constructor(socket: Socket) {
    this.#socket = socket
    socket.write(ownSettings(STREAMS))
  }

  take(chunk: Buffer): void {
    this.#socket.cork()
    try {
      this.#reader.read(chunk)
    } catch (error) {
      // A proxy that resets or leaves is the client's to judge: it knows what it still expected.
      process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
      this.#socket.destroy()
    }
    this.#socket.uncork()
  }

  frame(
    type: number,
    flags: number,
    stream: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): void {
    // Requests here have no body, so the head is all of one.
    if (type === FRAMES.headers) this.#answer(stream)
    else {
      const reply = answerTo(type, flags, bytes.subarray(start, end), 0)
      if (reply !== undefined) this.#socket.write(reply)
    }
  }

  #answer(stream: number): void {
    const bytes = Buffer.from(this.#isFirst ? FIRST : MORE)
    this.#isFirst = false
    setStream(bytes, stream)
    setStream(bytes, stream, bytes.length - BODY.length)
    this.#socket.write(bytes)
  }
}

serve((socket) => {
  const session = new Session(socket)
  socket.on('data', (chunk: Buffer) => {
    session.take(chunk)
  })
})
