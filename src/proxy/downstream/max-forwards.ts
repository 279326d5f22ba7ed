// Max-Forwards of OPTIONS and TRACE (RFC 9110 section 7.6.2): counted down at every hop, and answered by the one where
// it is 0. For other methods it has no meaning, and its syntax was judged by the codec.

import { Field } from '../http/fields.ts'
import type { Head } from '../http/head.ts'
import { Method } from '../http/method.ts'
import type { Exchange } from '../stack/exchange.ts'

/** RFC 9110 section 9.3.8: not to be reflected, because they may hold secrets. */
const SECRET = /^(?:.*authorization|cookie.*|.*(?:token|secret|api-?key).*)$/i

/** Says one less to the next hop; or what is answered here, as lines of fields, an empty one and the content. */
export function ownAnswer(head: Head, exchange: Exchange): string | undefined {
  if (head.method !== Method.options && head.method !== Method.trace) return undefined
  const left = Number(head.value(Field.maxForwards))
  if (left > 0) {
    const less = Math.min(left - 1, Number.MAX_SAFE_INTEGER)
    exchange.requestCut |= 1 << Field.maxForwards
    exchange.requestLines = Buffer.from(`Max-Forwards: ${less}\r\n`)
    return undefined
  }
  if (head.method === Method.options) return 'Content-Length: 0\r\n\r\n'
  const reflected = reflectionOf(head)
  return `Content-Type: message/http\r\nContent-Length: ${reflected.length}\r\n\r\n${reflected}`
}

function reflectionOf(head: Head): string {
  let text = head.text(head.start, head.fieldsStart)
  for (let at = 0; at < head.count; at++) {
    if (!SECRET.test(head.nameAt(at))) text += `${head.nameAt(at)}: ${head.valueAt(at)}\r\n`
  }
  return `${text}\r\n`
}
