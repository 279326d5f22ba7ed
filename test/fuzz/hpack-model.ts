// HPACK the simple way: what RFC 7541 says, in strings and lists, to hold the decoder of the proxy against.

import { STATIC_FIELDS } from '../../src/proxy/http/h2/hpack/static-table.ts'
import { codeText } from '../proxy/http/h2/hpack/huffman-writer.ts'

export interface ModelField {
  readonly name: string
  readonly value: string
  readonly isSensitive: boolean
}

class Wrong extends Error {}

const SYMBOLS: ReadonlyMap<string, number> = new Map(
  Array.from({ length: 257 }, (_, symbol) => [codeText(symbol), symbol]),
)
const EOS = 256

const STATIC: readonly ModelField[] = STATIC_FIELDS.slice(1).map((field) => {
  const [name = '', value = ''] = split(field.bytes.toString('latin1').slice(0, -2))
  return { name, value, isSensitive: false }
})

function split(line: string): string[] {
  const colon = line.indexOf(': ')
  return [line.slice(0, colon), line.slice(colon + 2)]
}

export function decodeHuffman(bytes: Buffer): string {
  const bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, '0')).join('')
  let text = ''
  let code = ''
  for (const bit of bits) {
    code += bit
    const symbol = SYMBOLS.get(code)
    if (symbol === EOS) throw new Wrong('EOS')
    if (symbol === undefined) continue
    text += String.fromCharCode(symbol)
    code = ''
  }
  if (code.length > 7 || code.includes('0')) throw new Wrong('padding')
  return text
}

export class HpackModel {
  table: ModelField[] = []
  #capacity = 4096
  #due = Number.POSITIVE_INFINITY
  #most: number
  #bytes: Buffer = Buffer.alloc(0)
  #at = 0

  constructor(most: number) {
    this.#most = most
  }

  tableSize(most: number): void {
    this.#most = most
    if (most < this.#capacity) this.#due = Math.min(this.#due, most)
  }

  /** The fields, or undefined if it is no block. After that the table says nothing any more. */
  decode(bytes: Buffer): ModelField[] | undefined {
    this.#bytes = bytes
    this.#at = 0
    try {
      return this.#read()
    } catch (error) {
      if (error instanceof Wrong) return undefined
      throw error
    }
  }

  #read(): ModelField[] {
    const fields: ModelField[] = []
    let mayResize = true
    while (this.#at < this.#bytes.length) {
      const isResize = (this.#byte() & 0xe0) === 0x20
      if (isResize && !mayResize) throw new Wrong('late')
      if (isResize) this.#resize()
      else {
        this.#checkDue()
        fields.push(this.#field())
        mayResize = false
      }
    }
    this.#checkDue()
    return fields
  }

  #checkDue(): void {
    if (this.#due !== Number.POSITIVE_INFINITY) throw new Wrong('a resize is due')
  }

  #field(): ModelField {
    const first = this.#byte()
    if (first >= 0x80) return this.#entry(this.#integer(7))
    const isIncremental = first >= 0x40
    const index = this.#integer(isIncremental ? 6 : 4)
    const name = index === 0 ? this.#string() : this.#entry(index).name
    const field = { name, value: this.#string(), isSensitive: !isIncremental && first >= 0x10 }
    if (isIncremental) {
      this.table.unshift(field)
      this.#evict()
    }
    return field
  }

  #resize(): void {
    const size = this.#integer(5)
    if (size > this.#most) throw new Wrong('too large')
    if (size <= this.#due) this.#due = Number.POSITIVE_INFINITY
    this.#capacity = size
    this.#evict()
  }

  #evict(): void {
    const size = (): number =>
      this.table.reduce((sum, { name, value }) => sum + name.length + value.length + 32, 0)
    while (size() > this.#capacity) this.table.pop()
  }

  #entry(index: number): ModelField {
    const field = [...STATIC, ...this.table][index - 1]
    if (field === undefined) throw new Wrong('no such index')
    return field
  }

  #byte(): number {
    const byte = this.#bytes[this.#at]
    if (byte === undefined) throw new Wrong('cut off')
    return byte
  }

  #integer(bits: number): number {
    const mask = 2 ** bits - 1
    let value = this.#byte() & mask
    this.#at++
    if (value < mask) return value
    for (let i = 0; ; i++) {
      if (i === 4) throw new Wrong('too long')
      const byte = this.#byte()
      this.#at++
      value += (byte & 0x7f) * 2 ** (7 * i)
      if (byte < 0x80) return value
    }
  }

  #string(): string {
    const isCoded = this.#byte() >= 0x80
    const length = this.#integer(7)
    const bytes = this.#bytes.subarray(this.#at, this.#at + length)
    if (bytes.length < length) throw new Wrong('cut off')
    this.#at += length
    return isCoded ? decodeHuffman(bytes) : bytes.toString('latin1')
  }
}
