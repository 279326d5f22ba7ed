// Responses that must be refused, each with the reason and what of the request matters to it.

import { Asked } from '../../../../src/proxy/http/h1/response-rules.ts'

export type ResponseCase = readonly [name: string, bytes: string, reason: string, asked?: number]

export const TE: string = 'Transfer-Encoding:'
export const CL: string = 'Content-Length:'
export const ok = (fields: string, body = ''): string => `HTTP/1.1 200 OK\r\n${fields}\r\n${body}`
export const line = (text: string): string => `${text}\r\n${CL} 0\r\n\r\n`
export const status = (code: number, fields: string, body = ''): string =>
  `HTTP/1.1 ${code} X\r\n${fields}\r\n${body}`

/** Heads. */
export const REFUSED: readonly ResponseCase[] = [
  ['no HTTP at all', 'SSH-2.0-x\r\n', 'version-invalid'],
  ['an empty line first', `\r\n${ok('')}`, 'version-invalid'],
  ['HTTP/0.9', '<html>', 'version-invalid'],
  ['a lower-case version', line('http/1.1 200 OK'), 'version-invalid'],
  ['two spaces after the version', line('HTTP/1.1  200 OK'), 'status-invalid'],
  ['a tab after the version', line('HTTP/1.1\t200 OK'), 'version-invalid'],
  ['two digits after the point', line('HTTP/1.10 200 OK'), 'version-invalid'],
  ['HTTP/2', line('HTTP/2 200 OK'), 'version-invalid'],
  ['HTTP/2.0', line('HTTP/2.0 200 OK'), 'version-unsupported'],
  ['HTTP/1.2', line('HTTP/1.2 200 OK'), 'version-unsupported'],
  ['two digits', line('HTTP/1.1 20 OK'), 'status-invalid'],
  ['four digits', line('HTTP/1.1 2000 OK'), 'status-invalid'],
  ['letters', line('HTTP/1.1 abc OK'), 'status-invalid'],
  ['a plus sign', line('HTTP/1.1 +20 OK'), 'status-invalid'],
  ['status 099', line('HTTP/1.1 099 X'), 'status-invalid'],
  ['no space after the status', line('HTTP/1.1 200'), 'status-invalid'],
  ['no status', line('HTTP/1.1'), 'version-invalid'],
  ['a NUL in the reason', line('HTTP/1.1 200 O\0K'), 'reason-invalid'],
  ['ESC in the reason', line('HTTP/1.1 200 \x1b'), 'reason-invalid'],
  ['a bare LF after the reason', 'HTTP/1.1 200 OK\n\r\n', 'bare-lf'],
  ['a bare CR in the reason', line('HTTP/1.1 200 O\rK'), 'bare-cr'],
  ['a reason that never ends', `HTTP/1.1 200 ${'a'.repeat(9000)}`, 'start-line-too-long'],
  ['obs-fold', ok('X-A: b\r\n c\r\n'), 'obs-fold'],
  ['a space before the colon', ok('X-A : b\r\n'), 'space-before-colon'],
  ['a bare LF after a field', ok('X-A: b\nX-B: c\r\n'), 'bare-lf'],
  ['a bare CR in a value: splitting', ok('Location: /\rSet-Cookie: a=b\r\n'), 'bare-cr'],
  ['a NUL in a value', ok('X-A: \0\r\n'), 'value-invalid'],
  ['no colon', ok('X-A\r\n'), 'colon-missing'],
  ['a second status line among the fields', ok('HTTP/1.1 200 OK\r\n'), 'name-invalid'],
  ['content_length', ok('content_length: 3\r\n'), 'name-lookalike'],
  ['too many fields', ok('a: b\r\n'.repeat(101)), 'too-many-fields'],
  ['a field too large', ok(`a: ${'b'.repeat(17000)}\r\n`), 'field-too-large'],
  ['a head too large', ok(`a: ${'b'.repeat(9000)}\r\n`.repeat(8)), 'head-too-large'],
  ['length and chunked', ok(`${CL} 3\r\n${TE} chunked\r\n`, 'abc'), 'length-with-coding'],
  ['differing lengths', ok(`${CL} 3\r\n${CL} 4\r\n`), 'length-repeated'],
  ['the same length twice', ok(`${CL} 3\r\n${CL} 3\r\n`), 'length-repeated'],
  ['a malformed length', ok(`${CL} 3, 3\r\n`), 'length-invalid'],
  ['a negative length', ok(`${CL} -1\r\n`), 'length-invalid'],
  ['a length beyond 2^53', ok(`${CL} 9007199254740993\r\n`), 'length-invalid'],
  ['gzip, then chunked', ok(`${TE} gzip, chunked\r\n`), 'coding-unknown'],
  ['gzip until the end', ok(`${TE} gzip\r\n`), 'coding-invalid'],
  ['identity', ok(`${TE} identity\r\n`), 'coding-invalid'],
  ['chunked twice', ok(`${TE} chunked\r\n${TE} chunked\r\n`), 'coding-invalid'],
  ['chunked in HTTP/1.0', `HTTP/1.0 200 OK\r\n${TE} chunked\r\n\r\n0\r\n\r\n`, 'coding-in-http-10'],
  [
    'length and chunked to HEAD',
    ok(`${CL} 3\r\n${TE} chunked\r\n`),
    'length-with-coding',
    Asked.head,
  ],
  [
    'Connection: Content-Length',
    ok(`Connection: content-length\r\n${CL} 3\r\n`),
    'connection-names-protected',
  ],
  ['a malformed Connection', ok('Connection: a;b\r\n'), 'connection-invalid'],
  ['204 with a length', status(204, `${CL} 3\r\n`, 'abc'), 'body-forbidden'],
  ['204 with chunks', status(204, `${TE} chunked\r\n`, '0\r\n\r\n'), 'body-forbidden'],
  ['100 with a length', status(100, `${CL} 3\r\n`, 'abc'), 'body-forbidden'],
  ['103 with chunks', status(103, `${TE} chunked\r\n`), 'body-forbidden'],
  ['CONNECT granted with a length', ok(`${CL} 3\r\n`), 'body-forbidden', Asked.connect],
  ['CONNECT granted with chunks', ok(`${TE} chunked\r\n`), 'body-forbidden', Asked.connect],
  [
    '101 that nobody asked for',
    status(101, 'Upgrade: x\r\nConnection: upgrade\r\n'),
    'switch-unasked',
  ],
  [
    '101 to HEAD',
    status(101, 'Upgrade: x\r\nConnection: upgrade\r\n'),
    'switch-unasked',
    Asked.head,
  ],
  ['101 without Upgrade', status(101, 'Connection: upgrade\r\n'), 'switch-unasked', Asked.upgrade],
  ['101 without the option', status(101, 'Upgrade: x\r\n'), 'switch-unasked', Asked.upgrade],
  [
    '101 in HTTP/1.0',
    'HTTP/1.0 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
    'switch-unasked',
    Asked.upgrade,
  ],
]

/** What follows a head that is accepted; with `response-unsolicited`, what follows the whole response. */
export const BODIES: readonly ResponseCase[] = [
  ['a chunk size that is none', ok(`${TE} chunked\r\n`, 'x\r\n'), 'chunk-size-invalid'],
  [
    'a chunk size that overflows',
    ok(`${TE} chunked\r\n`, 'fffffffffffffffff\r\n'),
    'chunk-size-overflow',
  ],
  ['a chunk that ends wrong', ok(`${TE} chunked\r\n`, '3\r\nabcd\r\n'), 'chunk-end-invalid'],
  ['a bare LF after a chunk size', ok(`${TE} chunked\r\n`, '3\nabc\r\n'), 'bare-lf'],
  ['an extension of white space', ok(`${TE} chunked\r\n`, '3 ;a\r\nabc\r\n'), 'chunk-size-invalid'],
  ['a forbidden trailer', ok(`${TE} chunked\r\n`, `0\r\n${CL} 3\r\n\r\n`), 'trailer-forbidden'],
  ['a body to HEAD', ok(`${CL} 3\r\n`, 'abc'), 'response-unsolicited', Asked.head],
  ['a body with 204', status(204, '', 'abc'), 'response-unsolicited'],
  ['a body with 304', status(304, `${CL} 3\r\n`, 'abc'), 'response-unsolicited'],
  [
    'a chunked body with 304',
    status(304, `${TE} chunked\r\n`, '0\r\n\r\n'),
    'response-unsolicited',
  ],
  ['more than the length', ok(`${CL} 3\r\n`, 'abcd'), 'response-unsolicited'],
  ['more than the chunks', ok(`${TE} chunked\r\n`, '0\r\n\r\n\r\n'), 'response-unsolicited'],
  ['a second response', ok(`${CL} 0\r\n`) + ok(`${CL} 0\r\n`), 'response-unsolicited'],
]
