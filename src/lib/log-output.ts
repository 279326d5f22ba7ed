// Where log lines go: a descriptor, written beside the event loop out of a bounded buffer.
//
// A reader that stands still or goes away must stop neither the traffic nor the end of the process: what does not fit
// is lost and counted, and the end waits half a second for who is slow. pino's own destination would wait at the end
// for ever.

import { constants, fstatSync, openSync, write, writeSync } from 'node:fs'

/** Bytes that wait for a slow reader at most. */
const MAX_BUFFERED = 4_194_304
/** How long the end of the process waits for one, in milliseconds. */
const FLUSH_LIMIT = 500
/** How long a full pipe is left alone, in milliseconds. */
const FULL_PAUSE = 20

export class LogOutput {
  readonly #fd: number
  readonly #onLost: (lines: number) => void
  #waiting: string[] = []
  /** Of what waits and of what is being written. */
  #bytes = 0
  /** True from the first byte of a write until all of it is written. */
  #writing = false
  /** True when nobody reads any more. */
  #gone = false
  readonly #whenWritten: (() => void)[] = []

  /** `onLost` is told of lines that nobody read. */
  constructor(fd: number, onLost: (lines: number) => void) {
    this.#fd = withoutWaiting(fd)
    this.#onLost = onLost
    process.once('exit', () => {
      this.#writeLast()
    })
  }

  /** Takes lines, each with its end. */
  write(lines: string): void {
    const bytes = Buffer.byteLength(lines)
    if (this.#gone || this.#bytes + bytes > MAX_BUFFERED) {
      this.#onLost(countOf(lines))
      return
    }
    this.#waiting.push(lines)
    this.#bytes += bytes
    this.#writeNext()
  }

  /** Calls `done` when all is written; what is not after half a second is lost. */
  flush(done: () => void): void {
    if (!this.#writing) {
      done()
      return
    }
    const timer = setTimeout(() => {
      this.#giveUp()
    }, FLUSH_LIMIT)
    this.#whenWritten.push(() => {
      clearTimeout(timer)
      done()
    })
  }

  #writeNext(): void {
    if (this.#writing || this.#gone) return
    if (this.#waiting.length === 0) {
      for (const tell of this.#whenWritten.splice(0)) tell()
      return
    }
    this.#writing = true
    const chunk = Buffer.from(this.#waiting.join(''))
    this.#waiting = []
    this.#write(chunk)
  }

  #write(chunk: Buffer): void {
    write(this.#fd, chunk, (error, written) => {
      if (this.#gone) return
      if (error?.code === 'EAGAIN') {
        // Who has nothing else to do may end: the last lines are tried once more then.
        setTimeout(() => {
          this.#write(chunk)
        }, FULL_PAUSE)
      } else if (error !== null) this.#giveUp()
      else this.#wrote(chunk, written)
    })
  }

  #wrote(chunk: Buffer, written: number): void {
    this.#bytes -= written
    if (written < chunk.length) {
      this.#write(chunk.subarray(written))
      return
    }
    this.#writing = false
    this.#writeNext()
  }

  /** Nobody reads, or nobody will in time. */
  #giveUp(): void {
    this.#gone = true
    this.#onLost(countOf(this.#waiting.join('')))
    this.#waiting = []
    for (const tell of this.#whenWritten.splice(0)) tell()
  }

  /** The process ends without having waited. */
  #writeLast(): void {
    if (this.#gone || this.#waiting.length === 0) return
    try {
      writeSync(this.#fd, this.#waiting.join(''))
    } catch {
      // Nobody reads it.
    }
  }
}

function countOf(lines: string): number {
  return lines.split('\n').length - 1
}

/**
 * A descriptor of the same pipe whose writes do not wait for the reader: a thread that waited could not be ended. What
 * is no pipe, or must not be opened again, is used as it is.
 */
function withoutWaiting(fd: number): number {
  try {
    if (!fstatSync(fd).isFIFO()) return fd
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK)
  } catch {
    return fd
  }
}
