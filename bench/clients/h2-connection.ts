// One HTTP/2 connection of the client: asks on many streams at once and checks every answer. All that one turn asks
// leaves in one write, so that the client is cheap and the proxy is what is busy.

import { connect, type Socket } from 'node:net'
import { type Blocks, requestBlocks, STATUS_200 } from '../h2-blocks.ts'
import {
  answerTo,
  contentEnd,
  contentStart,
  END_HEADERS,
  END_STREAM,
  FRAMES,
  FrameReader,
  type FrameSink,
  firstField,
  frame,
  PREFACE,
  STREAM_WINDOW,
  settings,
  windowUpdate,
} from '../h2-frames.ts'
import { ANSWER_BODY, matchesPattern } from '../protocol.ts'

const READ_BYTES = 65_536
const ENABLE_PUSH = 0x2
/** All streams of a connection together may send so much ahead; returned when half of it is used. */
const CONNECTION_WINDOW = 1 << 24
const BEGINNING: Buffer = Buffer.concat([
  PREFACE,
  settings([[ENABLE_PUSH, 0]]),
  windowUpdate(0, CONNECTION_WINDOW - STREAM_WINDOW),
])
/** The code of a reset that is no error (RFC 9113 section 7). */
const CANCEL = Buffer.of(0, 0, 0, 8)
const BODY = Buffer.from(ANSWER_BODY)

export interface H2Question {
  readonly blocks: Blocks
  /** Of the answer. */
  readonly length: number
  /** Its reader never opens the window again. */
  readonly isStopped: boolean
  /** Whether these bytes of the answer are what stands at `position`. */
  matches(bytes: Buffer, position: number): boolean
}

export const SMALL: H2Question = {
  blocks: requestBlocks('/'),
  length: BODY.length,
  isStopped: false,
  matches: (bytes, position) => {
    const end = position + bytes.length
    return end <= BODY.length && BODY.compare(bytes, 0, bytes.length, position, end) === 0
  },
}

/** A question whose answer is the pattern, without end. */
export function endless(path: string, isStopped: boolean): H2Question {
  return {
    blocks: requestBlocks(path),
    length: Number.POSITIVE_INFINITY,
    isStopped,
    matches: matchesPattern,
  }
}

/** What came of one question. */
export class H2Reply {
  readonly question: H2Question
  readonly stream: number
  readonly asked: number
  isCancelled = false
  hasHead = false
  received = 0
  /** Received and not yet credited. */
  owed = 0

  constructor(question: H2Question, stream: number, asked: number) {
    this.question = question
    this.stream = stream
    this.asked = asked
  }
}

export interface H2Listener {
  /** A whole answer came, `millis` after its question. */
  answered(connection: H2Connection, millis: number): void
  /** The connection is gone; `problem` if it should not be. */
  closed(problem: string | undefined): void
}

export class H2Connection implements FrameSink {
  readonly #socket: Socket
  readonly #listener: H2Listener
  readonly #streams: number
  readonly #reader = new FrameReader(this)
  readonly #open = new Map<number, H2Reply>()
  #next = 1
  #owed = 0
  #now = 0
  #out: Buffer[] = [BEGINNING]
  #problem: string | undefined
  #ended = false

  /** At most so many questions at once. */
  constructor(port: number, streams: number, listener: H2Listener) {
    this.#listener = listener
    this.#streams = streams
    this.#socket = connect({
      host: '127.0.0.1',
      port,
      noDelay: true,
      onread: {
        buffer: Buffer.allocUnsafe(READ_BYTES),
        callback: (size, buffer) => {
          this.#read((buffer as Buffer).subarray(0, size))
          return true
        },
      },
    })
    this.#socket.on('error', (error) => {
      this.#problem ??= error.message
    })
    this.#socket.on('close', () => {
      this.#problem ??= this.#ended
        ? undefined
        : `the connection was closed with ${this.#open.size} answers missing`
      this.#listener.closed(this.#problem)
    })
  }

  /** Leaves with the next flush, or with what else is asked while an answer is read. */
  ask(question: H2Question): H2Reply {
    const { first, more } = question.blocks
    const reply = new H2Reply(question, this.#next, performance.now())
    this.#open.set(this.#next, reply)
    const block = this.#next === 1 ? first : more
    this.#out.push(frame(FRAMES.headers, END_HEADERS | END_STREAM, this.#next, block))
    this.#next += 2
    return reply
  }

  /** Takes no more of an answer; what is on its way is passed over. */
  cancel(reply: H2Reply): void {
    reply.isCancelled = true
    this.#out.push(frame(FRAMES.reset, 0, reply.stream, CANCEL))
    this.flush()
  }

  flush(): void {
    if (this.#out.length === 0) return
    this.#socket.write(Buffer.concat(this.#out))
    this.#out = []
  }

  end(): void {
    this.#ended = true
    this.#socket.destroy()
  }

  frame(
    type: number,
    flags: number,
    stream: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): void {
    if (this.#open.get(stream)?.isCancelled === true) this.#creditConnection(end - start)
    else if (type === FRAMES.headers)
      this.#head(flags, stream, bytes.subarray(contentStart(flags, start), end))
    else if (type === FRAMES.data) this.#body(flags, stream, bytes, start, end)
    else {
      const answer = answerTo(type, flags, bytes.subarray(start, end), this.#streams)
      if (answer !== undefined) this.#out.push(answer)
    }
  }

  #head(flags: number, stream: number, block: Buffer): void {
    const reply = this.#replyOn(stream)
    if (reply.hasHead) throw new Error('a second head')
    const field = firstField(block)
    if (field !== STATUS_200) throw new Error(`an answer that is not 200: ${field.toString(16)}`)
    reply.hasHead = true
    if ((flags & END_STREAM) !== 0) this.#finish(stream, reply)
  }

  #body(flags: number, stream: number, bytes: Buffer, start: number, end: number): void {
    const reply = this.#replyOn(stream)
    if (!reply.hasHead) throw new Error('a body without a head')
    // RFC 9113 section 6.9.1: padding counts.
    this.#credit(stream, reply, end - start)
    const body = bytes.subarray(contentStart(flags, start), contentEnd(flags, bytes, start, end))
    if (!reply.question.matches(body, reply.received)) {
      throw new Error(`wrong bytes after ${reply.received} of a body`)
    }
    reply.received += body.length
    if ((flags & END_STREAM) !== 0) this.#finish(stream, reply)
  }

  #credit(stream: number, reply: H2Reply, length: number): void {
    this.#creditConnection(length)
    reply.owed += length
    if (reply.owed > STREAM_WINDOW >> 1 && !reply.question.isStopped) {
      this.#out.push(windowUpdate(stream, reply.owed))
      reply.owed = 0
    }
  }

  #creditConnection(length: number): void {
    this.#owed += length
    if (this.#owed <= CONNECTION_WINDOW >> 1) return
    this.#out.push(windowUpdate(0, this.#owed))
    this.#owed = 0
  }

  #finish(stream: number, { question, received, asked }: H2Reply): void {
    if (received !== question.length) throw new Error(`a body of ${received} bytes`)
    this.#open.delete(stream)
    this.#listener.answered(this, this.#now - asked)
  }

  #replyOn(stream: number): H2Reply {
    const reply = this.#open.get(stream)
    if (reply === undefined) throw new Error(`a frame on stream ${stream} that nobody asked for`)
    return reply
  }

  #read(bytes: Buffer): void {
    this.#now = performance.now()
    try {
      this.#reader.read(bytes)
      this.flush()
    } catch (error) {
      this.#problem ??= error instanceof Error ? error.message : String(error)
      this.#socket.destroy()
    }
  }
}
