// Cuts what another process writes into whole lines, so that the lines of several can go to one place.
//
// A line that its writer did not finish is lost with it.

import type { LogOutput } from '../../lib/log-output.ts'

const NEWLINE = 0x0a
/** A longer line is no line of ours: it is dropped, so that memory stays bounded. */
const MAX_LINE = 4_194_304

export class WholeLines {
  readonly #output: Pick<LogOutput, 'write'>
  #rest: Buffer[] = []
  #restBytes = 0
  /** Within a line that is too long. */
  #skipping = false

  constructor(output: Pick<LogOutput, 'write'>) {
    this.#output = output
  }

  take(chunk: Buffer): void {
    const from = this.#skipping ? chunk.indexOf(NEWLINE) + 1 : 0
    if (this.#skipping && from === 0) return
    this.#skipping = false
    const end = chunk.lastIndexOf(NEWLINE) + 1
    if (end > from) {
      this.#rest.push(chunk.subarray(from, end))
      this.#output.write(Buffer.concat(this.#rest).toString())
      this.#forget()
    }
    if (end < chunk.length) this.#keep(chunk.subarray(end))
  }

  #keep(part: Buffer): void {
    this.#rest.push(part)
    this.#restBytes += part.length
    if (this.#restBytes <= MAX_LINE) return
    this.#skipping = true
    this.#forget()
  }

  #forget(): void {
    this.#rest = []
    this.#restBytes = 0
  }
}
