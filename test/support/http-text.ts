// The little of HTTP that test peers know: where messages end in a text, and how to write a response.

const EMPTY_LINE = '\r\n\r\n'
const START_LINE = /(?:\S+ \S+ )?HTTP\/1\.\d/y
const LENGTH = /\r\ncontent-length:[ \t]*(\d+)[ \t]*\r\n/i
const CHUNKED = /\r\ntransfer-encoding:[^\r]*chunked[ \t]*\r\n/i
const BODILESS = /^HTTP\/1\.\d (?:1\d\d|204|304)/

/**
 * Where the message ends that begins at `from`. Beyond the text if it is not whole: no further than its end, or
 * Infinity as long as that cannot be told, or if it is no message. Without Content-Length and chunked it ends with its head, which is wrong for a response that
 * ends with its connection; and a response to HEAD is taken for one to GET.
 */
export function messageEnd(text: string, from = 0): number {
  START_LINE.lastIndex = from
  if (!START_LINE.test(text)) return Infinity
  const at = text.indexOf(EMPTY_LINE, from)
  if (at < 0) return Infinity
  const head = text.slice(from, at + 2)
  const body = at + EMPTY_LINE.length
  if (BODILESS.test(head)) return body
  if (CHUNKED.test(head)) return chunksEnd(text, body)
  return body + Number(LENGTH.exec(head)?.[1] ?? 0)
}

function chunksEnd(text: string, from: number): number {
  for (let at = from; ; ) {
    const line = text.indexOf('\r\n', at)
    if (line < 0) return Infinity
    const size = Number.parseInt(text.slice(at, line), 16)
    if (Number.isNaN(size)) return Infinity
    if (size === 0) {
      // An empty line, at once or after trailers; the CRLF of the last chunk's line may be its first half.
      const end = text.indexOf(EMPTY_LINE, line)
      return end < 0 ? Infinity : end + EMPTY_LINE.length
    }
    at = line + 2 + size + 2
    if (at > text.length) return at
  }
}

/** The whole messages that a text begins with. */
export function messages(text: string): string[] {
  const whole: string[] = []
  for (let from = 0; ; ) {
    const end = messageEnd(text, from)
    if (end > text.length) return whole
    whole.push(text.slice(from, end))
    from = end
  }
}

/** A 200 with a Content-Length; `fields` are lines with their CRLF. */
export function ok(body: string, fields = ''): string {
  return `HTTP/1.1 200 OK\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`
}
