// Makes of the fields of a header block one head in the common form: the lines of HTTP/1.1 in a buffer that belongs to
// the stream, with the spans that a reader of HTTP/1.1 would have found.
//
// To be filled in.

import type { Head } from '../head.ts'
import type { Refusal } from '../refusal.ts'
import type { H2Limits } from './h2-limits.ts'
import type { FieldSink, HeaderField } from './hpack/header-field.ts'

export class HeadBuilder implements FieldSink {
  constructor(_limits: H2Limits) {
    throw new Error('to be written')
  }

  /** Fields go into `head` from now on: of a request, a response (`asked` as in h1/response-rules.ts), or trailers. */
  begin(_head: Head, _what: 'request' | 'response' | 'trailers', _asked: number): void {
    throw new Error('to be written')
  }

  field(_field: HeaderField): void {
    throw new Error('to be written')
  }

  /** The block is over, and with `isEnd` the message. Why it is refused, or `Refusal.none`. */
  end(_isEnd: boolean): Refusal {
    throw new Error('to be written')
  }
}
