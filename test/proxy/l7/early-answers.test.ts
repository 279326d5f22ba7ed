// An answer that is there before its request is: the times of a policy are for the answer, and do not tear it.

import t from 'tap'
import { messages, ok } from '../../support/http-text.ts'
import { backend, onBoth } from './fixture.ts'
import { letters, put, startRetrying } from './retry-fixture.ts'

const TIMES = [{ perTry: 500 }, { request: 500 }]

onBoth(
  t,
  'timeouts: a whole answer is not torn while the rest of its request comes',
  async (t, kind) => {
    for (const timeouts of TIMES) {
      const server = await backend(t, (connection, text) => {
        if (text.endsWith('\r\n\r\n')) connection.write(ok('x'))
      })
      const f = await startRetrying(t, [server], { kind, timeouts })
      const client = await f.client()
      const request = put(letters(1000))
      const at = request.length - 1000
      await client.send(request.slice(0, at))
      await client.until((text) => messages(text).length === 1)
      await client.send(request.slice(at, -1))
      f.clock.advance(600)
      t.equal(await client.over(), '', 'ended in order')
      client.end()
      await f.settled()
      t.same(f.failures, {}, 'nobody is blamed')
      t.same(f.statuses, { 200: 1 })
      t.same([...f.destination.resilience.expired], [])
    }
  },
)

onBoth(t, 'timeouts: an answer that is not whole is', async (t, kind) => {
  for (const timeouts of TIMES) {
    const server = await backend(t, (connection, text) => {
      if (text.endsWith('\r\n\r\n')) connection.write(ok('xy').slice(0, -1))
    })
    const f = await startRetrying(t, [server], { kind, timeouts })
    const client = await f.client()
    await client.send(put(letters(1000)).slice(0, -1000))
    await client.until((text) => text.endsWith('x'))
    f.clock.advance(600)
    t.equal(await client.over(), 'ECONNRESET')
    await f.settled()
    t.equal(Object.values(f.failures).length, 1, 'counted once')
    t.same(f.statuses, { 200: 1 })
  }
})
