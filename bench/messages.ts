// The questions and answers of the scenarios at L7. A proxy may change heads, so they are read, not compared; every
// body is compared byte by byte.
//
// A block is the pattern of protocol.ts, 1 MiB, in either direction.

import { ANSWER_BODY, PATTERN, REQUEST } from './protocol.ts'

export const END_OF_HEAD: Buffer = Buffer.from('\r\n\r\n')

/** Heads over here are far smaller; what is larger is a defect of whoever sent it. */
export const MAX_HEAD_BYTES = 16_384

export type QuestionName = 'small' | 'download' | 'upload'

export interface Question {
  /** The head of the request. */
  readonly head: Buffer
  /** Whether the pattern follows it. */
  readonly upload: boolean
  /** The body that must come back. */
  readonly answer: Buffer
}

/** First lines, as the backend knows them. */
export const LINES: Readonly<Record<QuestionName, Buffer>> = {
  small: Buffer.from('GET / HTTP/1.1\r\n'),
  download: Buffer.from('GET /block HTTP/1.1\r\n'),
  upload: Buffer.from('POST /block HTTP/1.1\r\n'),
}

const COUNT = String(PATTERN.length)
const HOST = 'Host: bench.default\r\n'

export const QUESTIONS: Readonly<Record<QuestionName, Question>> = {
  small: { head: REQUEST, upload: false, answer: Buffer.from(ANSWER_BODY) },
  download: {
    head: Buffer.from(`${LINES.download.toString()}${HOST}\r\n`),
    upload: false,
    answer: PATTERN,
  },
  upload: {
    head: Buffer.from(`${LINES.upload.toString()}${HOST}Content-Length: ${COUNT}\r\n\r\n`),
    upload: true,
    answer: Buffer.from(COUNT),
  },
}

/** The heads of the backend's answers to a download and an upload; the latter with its body, the count. */
export const BLOCK_HEAD: Buffer = Buffer.from(
  `HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: ${COUNT}\r\n\r\n`,
)
export const UPLOAD_ANSWER: Buffer = Buffer.from(
  `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${COUNT.length}\r\n\r\n${COUNT}`,
)
export const REFUSAL: Buffer = Buffer.from(
  'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n',
)

/** The length that a head declares; NaN if it declares none, or a coding besides. */
export function lengthOf(head: string): number {
  if (/\r\ntransfer-encoding:/i.test(head)) return Number.NaN
  return Number(/\r\ncontent-length: *(\d+) *\r\n/i.exec(head)?.[1] ?? Number.NaN)
}
