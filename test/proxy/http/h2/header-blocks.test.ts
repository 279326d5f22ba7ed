// RFC 9113 section 4.3 and RFC 7541: header blocks that cannot be read end the connection; every form of a field can.

import t from 'tap'
import { headers, integer, literal, request } from '../../../support/h2-wire.ts'
import { answered, type Case, conform } from './conform.ts'

/** RFC 7541: what makes a block unreadable. */
const CODED: readonly Case[] = [
  {
    name: '4.3, RFC 7541 section 2.3.3: an index that there is not',
    send: [headers(1, Buffer.concat([request(), integer(0x80, 7, 70)]))],
    told: ['GOAWAY 1 COMPRESSION_ERROR'],
  },
  {
    name: '4.3, RFC 7541 section 2.3.3: the name of an index that there is not',
    send: [headers(1, Buffer.concat([request(), integer(0x00, 4, 62), Buffer.from('\x01a')]))],
    told: ['GOAWAY 1 COMPRESSION_ERROR'],
  },
  {
    name: '4.3, RFC 7541 section 4.2: a table size at the end of a block',
    send: [headers(1, Buffer.concat([request(), integer(0x20, 5, 1)]))],
    told: ['GOAWAY 1 COMPRESSION_ERROR'],
  },
  {
    name: '4.3, RFC 7541 section 5.2: Huffman padding of more than 7 bits',
    send: [headers(1, huffman([0x1c, 0x64, 0xff, 0xff, 0xff]))],
    told: ['GOAWAY 1 COMPRESSION_ERROR'],
  },
  {
    name: '4.3, RFC 7541 section 5.2: Huffman padding of zeros',
    send: [headers(1, huffman([0x1c, 0x64, 0xfb, 0x00]))],
    told: ['GOAWAY 1 COMPRESSION_ERROR'],
  },
  {
    name: '4.3, RFC 7541 section 5.2: the end symbol in a Huffman string',
    send: [headers(1, huffman([0xff, 0xff, 0xff, 0xff]))],
    told: ['GOAWAY 1 COMPRESSION_ERROR'],
  },
  {
    name: '4.3, RFC 7541 section 6.1: index 0',
    send: [headers(1, Buffer.concat([request(), Buffer.from([0x80])]))],
    told: ['GOAWAY 1 COMPRESSION_ERROR'],
  },
  {
    name: '4.3, RFC 7541 section 6.3: a table larger than we allow',
    send: [headers(1, Buffer.concat([integer(0x20, 5, 4097), request()]))],
    told: ['GOAWAY 1 COMPRESSION_ERROR'],
  },
  {
    name: '4.3, RFC 7541 section 5.1: an integer without end',
    send: [
      headers(
        1,
        Buffer.concat([request(), Buffer.from([0x7f, ...Array<number>(12).fill(0xff), 0x01])]),
      ),
    ],
    told: ['GOAWAY 1 COMPRESSION_ERROR'],
  },
]

function huffman(bytes: readonly number[]): Buffer {
  return Buffer.concat([request(), Buffer.from([0x00, 0x01, 0x61, 0x80 | bytes.length, ...bytes])])
}

/** Every form of a field is understood: RFC 7541 section 6. */
const FORMS: readonly (readonly [string, Buffer])[] = [
  ['an indexed field', Buffer.from([0x90])],
  ['with indexing, an indexed name', Buffer.concat([integer(0x40, 6, 58), value('agent')])],
  ['with indexing, an indexed name, Huffman', Buffer.concat([integer(0x40, 6, 58), coded()])],
  ['with indexing, a new name', literal(0x40, 'x-test', 'h2')],
  ['with indexing, a new name, Huffman', Buffer.concat([Buffer.from([0x40]), coded(), coded()])],
  ['without indexing, an indexed name', Buffer.concat([integer(0x00, 4, 58), value('agent')])],
  ['without indexing, an indexed name, Huffman', Buffer.concat([integer(0x00, 4, 58), coded()])],
  ['without indexing, a new name', literal(0x00, 'x-test', 'h2')],
  ['without indexing, a new name, Huffman', Buffer.concat([Buffer.from([0x00]), coded(), coded()])],
  ['never indexed, an indexed name', Buffer.concat([integer(0x10, 4, 58), value('agent')])],
  ['never indexed, an indexed name, Huffman', Buffer.concat([integer(0x10, 4, 58), coded()])],
  ['never indexed, a new name', literal(0x10, 'x-test', 'h2')],
  ['never indexed, a new name, Huffman', Buffer.concat([Buffer.from([0x10]), coded(), coded()])],
]

function value(text: string): Buffer {
  return Buffer.concat([Buffer.from([text.length]), Buffer.from(text)])
}

/** "custom-key" of RFC 7541 appendix C.4.3. */
function coded(): Buffer {
  return Buffer.from('8825a849e95ba97d7f', 'hex')
}

const SOUND: readonly Case[] = [
  ...FORMS.map(([name, form]) => ({
    name: `4.3, RFC 7541 section 6: ${name}`,
    send: [headers(1, Buffer.concat([request(), form]))],
    told: answered(1),
  })),
  {
    name: '4.3, RFC 7541 section 6.3: a table size',
    send: [headers(1, Buffer.concat([integer(0x20, 5, 0), request()]))],
    told: answered(1),
  },
  {
    name: '4.3, RFC 7541 section 6.3: two table sizes',
    send: [headers(1, Buffer.concat([integer(0x20, 5, 0), integer(0x20, 5, 4096), request()]))],
    told: answered(1),
  },
  {
    name: '4.3: one table for all streams',
    send: [
      headers(1, Buffer.concat([request(), literal(0x40, 'x-first', 'one')])),
      headers(3, Buffer.concat([request(), integer(0x80, 7, 62)])),
      headers(5, Buffer.concat([request(), integer(0x80, 7, 63)])),
    ],
    told: [...answered(1), ...answered(3), 'GOAWAY 5 COMPRESSION_ERROR'],
  },
]

conform(t, [...CODED, ...SOUND])
