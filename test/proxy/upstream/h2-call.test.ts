// Requests and responses on streams to real servers: bodies, trailers, windows, and every way in which they end.

import t from 'tap'
import { until } from '../../support/until.ts'
import { type Caller, get, onBoth, post, server, Way } from './h2-fixture.ts'

const CHUNKED = 'POST /up HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n'

onBoth(t, 'h2 call: a request leaves as HTTP/2 has it', async (t, kind) => {
  const s = await server(t, (asked) => {
    asked.ok('x')
  })
  const way = new Way(t, [s], { kind })
  const hop = 'Connection: x-hop, te\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nTE: trailers\r\n'
  await way.send(get('/a?b=c', `${hop}X-Kept: Yes\r\nCookie: a=1; b=2\r\n`)).done()
  t.match(s.asked[0]?.headers, {
    ...{ ':method': 'GET', ':path': '/a?b=c', ':authority': 'a.example', ':scheme': 'http' },
    ...{ te: 'trailers', 'x-kept': 'Yes', cookie: 'a=1; b=2' },
  })
  const { connection, host } = s.asked[0]?.headers ?? {}
  t.same([connection, host, s.asked[0]?.headers['x-hop']], [undefined, undefined, undefined])
  t.equal(s.asked[0]?.isEnded, true)
  await way.send('GET / HTTP/1.0\r\n\r\n').done()
  t.equal(s.asked[1]?.headers[':authority'], `127.0.0.1:${s.port}`, 'the endpoint has a name')
})

onBoth(t, 'h2 call: chunks are taken off, and trailers go on', async (t, kind) => {
  const s = await server(t, (asked) => {
    asked.stream.on('end', () => {
      asked.ok('x')
    })
  })
  const way = new Way(t, [s], { kind })
  const whole = '5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nX-Sum: 11\r\nX-More: z\r\n\r\n'
  t.equal((await way.send(CHUNKED + whole).done()).outcome, '')
  t.same([s.asked[0]?.body, s.asked[0]?.headers['transfer-encoding']], ['hello world', undefined])
  t.match(s.asked[0]?.trailers, { 'x-sum': '11', 'x-more': 'z' })
  const caller = way.caller(CHUNKED)
  caller.isWhole = false
  way.send(caller)
  for (const byte of whole) caller.give(byte)
  caller.finish()
  t.equal((await caller.done()).outcome, '')
  t.equal(s.asked[1]?.body, 'hello world')
  t.match(s.asked[1]?.trailers, { 'x-sum': '11', 'x-more': 'z' })
  t.equal((await way.send(`${CHUNKED}0\r\n\r\n`).done()).outcome, '')
  t.same([s.asked[2]?.body, s.asked[2]?.trailers], ['', undefined])
})

onBoth(t, 'h2 call: interim heads, a body without a length, trailers', async (t, kind) => {
  const s = await server(t, ({ stream }) => {
    stream.additionalHeaders({ ':status': 103, link: '</a.css>' })
    stream.respond({ ':status': 200, 'x-kept': 'yes' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => {
      stream.sendTrailers({ 'x-sum': '11' })
    })
    stream.write('hello')
    stream.end(' world')
  })
  const way = new Way(t, [s], { kind })
  const caller = await way.send(get()).done()
  t.same([caller.outcome, caller.interims, caller.text], ['', [103], 'hello world'])
  t.match(caller.headText, /^HTTP\/1\.1 200 .*x-kept: yes\r\n/s)
  t.match(caller.trailerText, /x-sum: 11\r\n/)
  t.ok(caller.ended)
  t.equal(caller.exchange.responseBytes, caller.headText.length + 11)
})

onBoth(t, 'h2 call: gRPC says how a call ended, in trailers or in the head', async (t, kind) => {
  const s = await server(t, ({ stream, headers }) => {
    const type = { 'content-type': 'application/grpc' }
    if (headers[':path'] === '/only') {
      stream.respond({ ':status': 200, ...type, 'grpc-status': '5' }, { endStream: true })
      return
    }
    stream.respond({ ':status': 200, ...type }, { waitForTrailers: true })
    stream.on('wantTrailers', () => {
      stream.sendTrailers({ 'grpc-status': '13' })
    })
    stream.end('x')
  })
  const way = new Way(t, [s], { kind })
  const ask = async (path: string): Promise<number> => {
    const caller = way.caller(post('x', path, 'Content-Type: application/grpc\r\n'))
    caller.exchange.isGrpc = true
    await way.send(caller).done()
    return caller.exchange.grpcStatus
  }
  t.equal(await ask('/only'), 5)
  t.equal(await ask('/'), 13)
})

onBoth(t, 'h2 call: who does not take a response holds up nobody else', async (t, kind) => {
  const size = 4_000_000
  const s = await server(t, ({ stream, path }) => {
    stream.respond({ ':status': 200 })
    stream.end(Buffer.alloc(size, path === '/slow' ? 's' : 'f'))
  })
  const way = new Way(t, [s], { kind })
  const slow = way.caller(get('/slow'))
  slow.isSlow = true
  way.send(slow)
  await until('it has something', () => slow.text.length > 0)
  for (let turn = 0; turn < 3; turn += 1) {
    const fast = await way.send(get('/fast')).done()
    t.equal(fast.text.length, size)
    t.notMatch(fast.text, /s/)
  }
  t.ok(slow.text.length <= 65_536, 'no more than its window')
  t.equal(slow.outcome, undefined)
  let isSame = true
  await until('all is there', () => {
    isSame &&= slow.take()
    return slow.outcome !== undefined
  })
  t.ok(isSame, 'what was given stays as it was')
  t.same([slow.outcome, slow.text.length], ['', size])
  t.notMatch(slow.text, /f/)
  t.equal(s.sessions.length, 1)
})

onBoth(t, 'h2 call: an endpoint that does not read holds up its client alone', async (t, kind) => {
  const s = await server(t, (asked) => {
    if (asked.path === '/stuck') asked.stream.pause()
    else
      asked.stream.on('end', () => {
        asked.ok(String(asked.length))
      })
  })
  const way = new Way(t, [s], { kind })
  const stuck = way.caller('POST /stuck HTTP/1.1\r\nHost: a\r\nContent-Length: 600000\r\n\r\n')
  stuck.isWhole = false
  way.send(stuck)
  await until('it is asked', () => s.asked.length === 1)
  let given = 0
  while (stuck.give('x'.repeat(10_000))) given += 10_000
  t.ok(given >= 50_000 && given <= 80_000, 'as much as the window has')
  t.equal((await way.send(post('y'.repeat(30_000))).done()).text, '30000')
  t.equal(stuck.resumes, 0)
  s.asked[0]?.stream.resume()
  for (given += 10_000; given < 600_000; given += 10_000) {
    const resumed = stuck.resumes
    if (!stuck.give('x'.repeat(10_000))) {
      await until('more is wanted', () => stuck.resumes > resumed)
    }
  }
  stuck.finish()
  await until('all is there', () => s.asked[0]?.isEnded === true)
  t.equal(s.asked[0]?.length, 600_000)
  s.asked[0]?.ok('x')
  t.equal((await stuck.done()).outcome, '')
})

onBoth(t, 'h2 call: a refused stream goes elsewhere, whatever its method', async (t, kind) => {
  const refusing = await server(t, ({ stream }) => {
    stream.close(7)
  })
  const s = await server(t, (asked) =>
    asked.stream.on('end', () => {
      asked.ok(asked.body)
    }),
  )
  const way = new Way(t, [refusing, s], { kind })
  const caller = await way.send(post('body')).done()
  t.same([caller.outcome, caller.text, caller.exchange.attempt], ['', 'body', 2])
  t.same([refusing.asked.length, way.resends, way.endpoint().failures], [1, 1, 0])
  t.equal(s.asked[0]?.headers['x-envoy-attempt-count'], '2')
  const alone = new Way(t, [refusing], { kind })
  const failed = await alone.send(post('body')).done()
  t.same([failed.outcome, failed.exchange.attempt, failed.status], ['stream-refused', 3, 0])
  t.equal(failed.exchange.details, 'REFUSED_STREAM')
  t.equal(refusing.asked.length, 4)
})

onBoth(t, 'h2 call: what breaks before the head, behind it and behind the end', async (t, kind) => {
  const s = await server(t, ({ stream, path }) => {
    if (path === '/before') stream.close(2)
    else if (path === '/cancel') stream.close(8)
    else if (path === '/short') {
      stream.respond({ ':status': 200, 'content-length': 10 })
      stream.end('four')
    } else {
      stream.respond({ ':status': 200 })
      stream.write('some', () => {
        stream.destroy(new Error('broken'))
      })
    }
  })
  const way = new Way(t, [s], { kind })
  const ask = async (path: string): Promise<unknown[]> => {
    const caller = await way.send(post('x', path)).done()
    t.ok(caller.discards > 0)
    const { details, resetCode } = caller.exchange
    return [caller.outcome, caller.status, details, resetCode]
  }
  t.same(await ask('/before'), ['upstream-reset', 0, 'INTERNAL_ERROR', 2])
  t.same(await ask('/cancel'), ['upstream-reset', 0, 'CANCEL', 8])
  t.same(await ask('/behind'), ['response-incomplete', 200, 'INTERNAL_ERROR', 2])
  t.same(await ask('/short'), ['response-refused', 200, 'length-mismatch', 0])
  t.equal(s.sessions.length, 1, 'the others on the connection do not suffer')
  t.same(
    [...way.counters.refusals()].map(({ reason }) => reason),
    ['length-mismatch'],
  )
})

onBoth(t, 'h2 call: a response that is complete ends its request', async (t, kind) => {
  const s = await server(t, (asked) => {
    asked.ok('enough')
    if (asked.path === '/told')
      asked.stream.on('finish', () => {
        asked.stream.close(0)
      })
  })
  const way = new Way(t, [s], { kind })
  for (const path of ['/silent', '/told']) {
    const head = `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n`
    const caller = way.caller(`${head}first`)
    caller.isWhole = false
    way.send(caller)
    t.same([(await caller.done()).outcome, caller.text], ['', 'enough'])
    t.equal(caller.give('more'), true, 'goes nowhere')
  }
  await until('they are over', () => s.asked.every(({ isClosed }) => isClosed))
  t.same(
    s.asked.map(({ body }) => body),
    ['first', 'first'],
  )
  t.equal((await way.send(get()).done()).outcome, '')
})

onBoth(t, 'h2 call: complete, parked and reset it still reaches its client', async (t, kind) => {
  const s = await server(t, (asked) => {
    asked.stream.respond({ ':status': 200 })
    asked.stream.end('x'.repeat(40_000), () => {
      asked.stream.close(0)
    })
  })
  const way = new Way(t, [s], { kind })
  const caller = way.caller('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n')
  caller.isWhole = false
  caller.isSlow = true
  way.send(caller)
  await until('the stream is over', () => s.asked[0]?.isClosed === true)
  await way.send(get()).done()
  await until('all is there', () => {
    caller.take()
    return caller.outcome !== undefined
  })
  t.same([caller.outcome, caller.text.length], ['', 40_000])
})

onBoth(t, 'h2 call: what came of a response that breaks off is delivered', async (t, kind) => {
  const s = await server(t, (asked) => {
    if (asked.path === '/whole') {
      asked.ok('x')
      return
    }
    asked.stream.respond({ ':status': 200 })
    asked.stream.write('x'.repeat(40_000), () => {
      asked.stream.destroy(new Error('broken'))
    })
  })
  const way = new Way(t, [s], { kind })
  for (const isSlow of [false, true]) {
    const caller = way.caller(get('/half'))
    caller.hasBegun = true
    caller.isSlow = isSlow
    way.send(caller)
    if (isSlow) {
      await until('the stream is over', () => s.asked.at(-1)?.isClosed === true)
      await way.send(get('/whole')).done()
      t.equal(caller.outcome, undefined, 'not before the client has it')
      await until('it is over', () => caller.take() && caller.outcome !== undefined)
    } else await caller.done()
    t.same([caller.outcome, caller.text.length], ['response-incomplete', 40_000])
    t.equal(caller.exchange.resetCode, 2, 'the code goes on')
    t.notOk(caller.ended)
  }
  t.equal(s.sessions.length, 1)
})

onBoth(t, 'h2 call: what came before a connection is lost is delivered', async (t, kind) => {
  const s = await server(t, ({ stream }) => {
    stream.respond({ ':status': 200 })
    stream.write('x'.repeat(40_000))
  })
  const way = new Way(t, [s], { kind })
  const caller = way.caller(get())
  caller.isSlow = true
  way.send(caller)
  await until('it has begun', () => caller.text.length > 0)
  await until('more lies here', () => s.asked[0]?.stream.writableLength === 0)
  s.sessions[0]?.destroy()
  await until('it is gone', () => way.connected === 0)
  t.equal(caller.outcome, undefined)
  await until('it is over', () => caller.take() && caller.outcome !== undefined)
  t.same([caller.outcome, caller.text.length], ['response-incomplete', 40_000])
  t.equal(caller.exchange.resetCode, 0)
})

onBoth(t, 'h2 call: a connection that is lost takes all its streams along', async (t, kind) => {
  const s = await server(t, () => undefined)
  const way = new Way(t, [s], { kind })
  const callers = [post('a', '/1'), get('/2'), post('a', '/3')].map((text) => way.send(text))
  await until('all are asked', () => s.asked.length === 3)
  s.asked[2]?.stream.respond({ ':status': 200 })
  await until('one has a head', () => callers[2]?.status === 200)
  s.sessions[0]?.destroy()
  for (const caller of callers.filter((_, at) => at !== 1)) await caller.done()
  t.same(
    callers.map(({ outcome }) => outcome),
    ['upstream-reset', undefined, 'response-incomplete'],
  )
  // GET is safe, and was not the first on its connection: once more, on a new one.
  await until('it is asked again', () => s.asked.length === 4)
  t.equal(s.asked[3]?.path, '/2')
  s.asked[3]?.ok('again')
  t.equal((await callers[1]?.done())?.text, 'again')
  t.same([way.connected, way.destination.open, way.endpoint().open], [1, 1, 0])
})

onBoth(t, 'h2 call: a response that is sent back leaves no trace', async (t, kind) => {
  let busy = 2
  const s = await server(t, (asked) => {
    busy -= 1
    if (busy < 0) {
      asked.ok('good')
      return
    }
    asked.stream.respond({ ':status': 503 })
    asked.stream.end('z'.repeat(100_000))
  })
  const way = new Way(t, [s], { kind })
  way.unwanted.set(503, 2)
  const other = way.send(post('other', '/other'))
  const caller = way.send(post('body'))
  for (const each of [caller, other]) {
    t.same([(await each.done()).outcome, each.text], ['', 'good'])
    t.equal(each.status, 200)
  }
  t.equal(s.sessions.length, 1)
  t.same(s.asked.map(({ body }) => body).sort(), ['body', 'body', 'other', 'other'])
})

onBoth(
  t,
  'h2 call: a request that is given up is reset, and the rest of it dropped',
  async (t, kind) => {
    const s = await server(t, () => undefined)
    const way = new Way(t, [s], { kind })
    const callers: Caller[] = []
    for (let turn = 0; turn < 10; turn += 1) {
      const caller = way.caller('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n')
      caller.isWhole = false
      way.send(caller)
      caller.give('x'.repeat(200_000))
      callers.push(caller)
    }
    await until('all are asked', () => s.asked.length === 10)
    for (const { exchange } of callers) {
      exchange.upstream?.cancel()
      exchange.lowest?.ended(exchange, 'downstream-reset')
    }
    await until('all are closed', () => s.asked.every(({ isClosed }) => isClosed))
    t.ok(s.asked.every(({ stream }) => stream.rstCode === 8))
    const next = way.send(get())
    await until('it is asked', () => s.asked.length === 11)
    s.asked[10]?.ok('x')
    t.equal((await next.done()).outcome, '')
    t.same([s.sessions.length, way.endpoint().open], [1, 0])
  },
)
