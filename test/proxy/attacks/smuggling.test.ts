// What a client of HTTP/2 may try so that a server of HTTP/1.1 behind the proxy finds another request than was judged:
// nothing of a request that is refused at once reaches it, and what was on its way ends with its connection.

import type { Socket } from 'node:net'
import t, { type Test } from 'tap'
import {
  block,
  data,
  END_HEADERS,
  END_STREAM,
  type Fields,
  headers,
  rstStream,
} from '../../support/h2-wire.ts'
import { serve } from '../../support/tcp.ts'
import { until } from '../../support/until.ts'
import { Attacker } from './attacker.ts'
import { Victim } from './victim.ts'

const OPEN = END_HEADERS

/** A server that keeps what it gets on each connection, and answers each head without waiting for a body. */
class Listener {
  readonly texts: string[] = []
  readonly sockets: Socket[] = []

  take(socket: Socket): void {
    const place = this.texts.push('') - 1
    this.sockets.push(socket)
    socket.on('end', () => socket.end())
    socket.on('data', (bytes: Buffer) => {
      this.texts[place] = (this.texts[place] ?? '') + bytes.toString('latin1')
      if (bytes.toString('latin1').includes('GET /next '))
        socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
    })
  }
}

function pseudo(more: Readonly<Record<string, string | undefined>>, fields: Fields = []): Buffer {
  const all: typeof more = {
    ':method': 'GET',
    ':scheme': 'http',
    ':path': '/',
    ':authority': 'a.test',
    ...more,
  }
  const given = Object.entries(all).filter(
    (pair): pair is [string, string] => pair[1] !== undefined,
  )
  return block([...given, ...fields])
}

const EVIL: Record<string, Buffer> = {
  'a path with a request in it': pseudo({ ':path': '/ HTTP/1.1\r\nhost: b\r\n\r\nGET /evil' }),
  'a path with a space': pseudo({ ':path': '/a b' }),
  'a path with a tab': pseudo({ ':path': '/a\tb' }),
  'a path with a fragment': pseudo({ ':path': '/a#b' }),
  'a path with NUL': pseudo({ ':path': '/a\0b' }),
  'a path with DEL': pseudo({ ':path': '/a\x7fb' }),
  'an empty path': pseudo({ ':path': '' }),
  'a path without a slash': pseudo({ ':path': 'a' }),
  'a path that is a URI': pseudo({ ':path': 'http://b.test/' }),
  'an asterisk with GET': pseudo({ ':path': '*' }),
  'the preface of HTTP/2': pseudo({ ':method': 'PRI', ':path': '*' }),
  'a method with a space': pseudo({ ':method': 'GET /evil HTTP/1.1\r\nx:' }),
  'an empty method': pseudo({ ':method': '' }),
  'no authority and no Host': pseudo({ ':authority': undefined }),
  'an empty authority': pseudo({ ':authority': '' }),
  'userinfo in the authority': pseudo({ ':authority': 'b.test@a.test' }),
  'a path in the authority': pseudo({ ':authority': 'a.test/evil' }),
  'a line in the authority': pseudo({ ':authority': 'a.test\r\nx: y' }),
  'a comma in the authority': pseudo({ ':authority': 'a.test, b.test' }),
  'another Host': pseudo({}, [['host', 'b.test']]),
  'another port in Host': pseudo({}, [['host', 'a.test:81']]),
  'Host twice': pseudo({ ':authority': undefined }, [
    ['host', 'a.test'],
    ['host', 'a.test'],
  ]),
  'Host twice beside the authority': pseudo({}, [
    ['host', 'a.test'],
    ['host', 'a.test'],
  ]),
  'an empty Host beside the authority': pseudo({}, [['host', '']]),
  'Transfer-Encoding': pseudo({}, [['transfer-encoding', 'chunked']]),
  'Transfer-Encoding of another spelling': pseudo({}, [['transfer_encoding', 'chunked']]),
  'Content-Length of another spelling': pseudo({}, [['content_length', '5']]),
  Connection: pseudo({}, [['connection', 'x']]),
  'Keep-Alive': pseudo({}, [['keep-alive', 'timeout=5']]),
  'Proxy-Connection': pseudo({}, [['proxy-connection', 'close']]),
  Upgrade: pseudo({}, [['upgrade', 'websocket']]),
  'HTTP2-Settings': pseudo({}, [['http2-settings', 'AAMAAABkAAQAAP__']]),
  'TE with more than trailers': pseudo({}, [['te', 'trailers, chunked']]),
  'Content-Length twice': pseudo({ ':method': 'POST' }, [
    ['content-length', '0'],
    ['content-length', '0'],
  ]),
  'Content-Length with a sign': pseudo({ ':method': 'POST' }, [['content-length', '+0']]),
  'Content-Length as a list': pseudo({ ':method': 'POST' }, [['content-length', '0, 0']]),
  'Content-Length without digits': pseudo({ ':method': 'POST' }, [['content-length', '']]),
  'Content-Length in hexadecimal': pseudo({ ':method': 'POST' }, [['content-length', '0x0']]),
  'Content-Length of a body that is not there': pseudo({ ':method': 'POST' }, [
    ['content-length', '5'],
  ]),
  'a value with a line in it': pseudo({}, [['x', 'a\r\ntransfer-encoding: chunked']]),
  'a value with LF': pseudo({}, [['x', 'a\nb']]),
  'a value with CR': pseudo({}, [['x', 'a\rb']]),
  'a value with NUL': pseudo({}, [['x', 'a\0b']]),
  'a value that ends in a space': pseudo({}, [['x', 'a ']]),
  'a value that begins with a tab': pseudo({}, [['x', '\ta']]),
  'a name with a colon': pseudo({}, [['x: y', 'a']]),
  'a name with a colon at its end': pseudo({}, [['transfer-encoding:', 'chunked']]),
  'a name with a space': pseudo({}, [['transfer-encoding ', 'chunked']]),
  'a name with a line in it': pseudo({}, [['x: a\r\ny', 'b']]),
  'a name in capitals': pseudo({}, [['Content-Length', '5']]),
  'an empty name': pseudo({}, [['', 'a']]),
  'a name beyond ASCII': pseudo({}, [['x\xe9', 'a']]),
  'a pseudo-header twice': Buffer.concat([pseudo({}), block([[':path', '/evil']])]),
  'a pseudo-header behind a field': Buffer.concat([
    pseudo({ ':path': undefined }, [['x', 'y']]),
    block([[':path', '/evil']]),
  ]),
  'a pseudo-header of responses': pseudo({ ':status': '200' }),
  'a pseudo-header that nobody knows': pseudo({ ':protocol': 'websocket' }),
  'a scheme with a line in it': pseudo({ ':scheme': 'http\r\nx: y' }),
  'another scheme': pseudo({ ':scheme': 'file' }),
  'CONNECT with a path': pseudo({ ':method': 'CONNECT', ':authority': 'a.test:80' }),
  'CONNECT without a port': pseudo({
    ':method': 'CONNECT',
    ':scheme': undefined,
    ':path': undefined,
  }),
  'CONNECT with a length': pseudo(
    { ':method': 'CONNECT', ':scheme': undefined, ':path': undefined, ':authority': 'a.test:80' },
    [['content-length', '5']],
  ),
}

const TRAILERS: Record<string, Fields> = {
  'Content-Length in trailers': [['content-length', '5']],
  'Host in trailers': [['host', 'b.test']],
  'Transfer-Encoding in trailers': [['transfer-encoding', 'chunked']],
  'a path in trailers': [[':path', '/evil']],
  'Authorization in trailers': [['authorization', 'x']],
  'a line in trailers': [['x', 'a\r\n\r\nGET /evil HTTP/1.1']],
}

t.test('attacks: requests within requests', async (t) => {
  const listener = new Listener()
  const server = await serve((socket) => {
    listener.take(socket)
  })
  t.teardown(server.close)
  const victim = await Victim.start(t, [{ name: 'web', port: server.port, appProtocol: 'http' }])
  const port = victim.port('web')
  const get = (id: number): Buffer => headers(id, pseudo({ ':path': '/next' }))

  t.test('nothing of what is refused is sent', async (t) => {
    for (const [name, bytes] of Object.entries(EVIL)) {
      const attacker = await Attacker.client(port)
      attacker.send(headers(1, bytes))
      await until(name, () => attacker.resetsReceived === 1 || attacker.isOver)
      t.strictSame([...attacker.resets.keys()], ['PROTOCOL_ERROR'], name)
      attacker.close()
    }
    t.strictSame(listener.texts, [], 'not a byte, not a connection')
  })

  /** Sends what is wrong in a later read than its head, then a request that must come over another connection. */
  async function late(t: Test, name: string, first: Buffer[], wrong: Buffer[]): Promise<string> {
    listener.texts.length = 0
    listener.sockets.length = 0
    const attacker = await Attacker.client(port)
    attacker.send(...first)
    await until('the head', () => (listener.texts[0] ?? '').includes('\r\n\r\n'))
    attacker.send(...wrong)
    await until(`the reset of ${name}`, () => attacker.resetsReceived === 1)
    attacker.send(get(3))
    await until('another request', () => listener.texts.some((text) => text.includes('GET /next ')))
    await until('the end of the first', () => listener.sockets[0]?.closed === true)
    const [one = ''] = listener.texts
    t.notMatch(one, /GET \/next/, `${name}: not behind what was broken off`)
    attacker.close()
    return one.slice(one.indexOf('\r\n\r\n') + 4)
  }

  const post = (fields: Fields): Buffer => headers(1, pseudo({ ':method': 'POST' }, fields), OPEN)

  t.test('what is wrong is found later', async (t) => {
    const length = [['content-length', '10']] as const
    const short = await late(t, 'less', [post(length), data(1, 'abc')], [data(1, 'd', END_STREAM)])
    t.equal(short, 'abc', 'nothing of the read that was wrong')
    const long = await late(
      t,
      'more',
      [post(length), data(1, 'abc')],
      [data(1, 'GET /evil HTTP/1.1')],
    )
    t.equal(long, 'abc', 'nor of one that had too much')
    const behind = await late(
      t,
      'behind the length',
      [post(length), data(1, '0123456789')],
      [data(1, 'GET /evil HTTP/1.1\r\n\r\n', END_STREAM)],
    )
    t.equal(behind, '0123456789')
    const none = await late(t, 'no length kept', [post(length)], [data(1, '', END_STREAM)])
    t.equal(none, '')
    for (const [name, fields] of Object.entries(TRAILERS)) {
      const sent = await late(t, name, [post([]), data(1, 'abc')], [headers(1, block(fields))])
      t.equal(sent, '3\r\nabc\r\n', `${name}: no last chunk, no trailer`)
    }
  })

  t.test('a request that is given up is not ended', async (t) => {
    listener.texts.length = 0
    listener.sockets.length = 0
    const attacker = await Attacker.client(port)
    attacker.send(post([]), data(1, 'abc'))
    await until('what came', () => (listener.texts[0] ?? '').endsWith('abc\r\n'))
    attacker.send(rstStream(1, 8))
    await until('the end', () => listener.sockets[0]?.closed === true)
    t.notMatch(listener.texts[0], /\r\n0\r\n/, 'no last chunk')
    attacker.close()
  })

  t.test('chunks of the content are content', async (t) => {
    listener.texts.length = 0
    const attacker = await Attacker.client(port)
    attacker.send(post([]), data(1, '0\r\n\r\nGET /evil HTTP/1.1\r\n\r\n', END_STREAM))
    await until('its end', () => (listener.texts[0] ?? '').endsWith('0\r\n\r\n'))
    t.match(listener.texts[0], /\r\n\r\n1b\r\n0\r\n\r\nGET \/evil HTTP\/1\.1\r\n\r\n\r\n0\r\n\r\n$/)
    attacker.close()
  })
})
