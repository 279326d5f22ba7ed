// The relay over fake connections: what it asks of them, and in which order.

import t, { type Test } from 'tap'
import { FAILED, PENDING } from '../../../src/proxy/net/connection.ts'
import { Relay, type RelayEnd } from '../../../src/proxy/net/relay.ts'
import { Ticker } from '../../../src/proxy/net/ticker.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { FakeConnection } from '../../support/fake-sockets.ts'

class Fixture {
  readonly clock: FakeClock = new FakeClock()
  readonly client: FakeConnection = new FakeConnection()
  readonly server: FakeConnection = new FakeConnection()
  readonly ends: RelayEnd[] = []
  readonly counters: { received: number; sent: number } = { received: 0, sent: 0 }
  readonly relay: Relay

  constructor(t: Test) {
    const ticker = new Ticker(this.clock, () => undefined)
    t.teardown(() => {
      ticker.stop()
    })
    const owner = {
      onRelayEnd: (end: RelayEnd) => this.ends.push(end),
      onServerFirst: () => true,
    }
    this.relay = new Relay(this.client, this.server, this.counters, ticker, owner)
    this.relay.start()
    this.relay.release()
  }
}

t.test('relay: a full reader stops the sender, and only that direction', async (t) => {
  const { client, server } = new Fixture(t)
  server.answers.push(PENDING)
  client.arrive('one')
  t.same([client.reading, server.reading], [false, true])
  t.equal(client.arrive('two'), false)
  server.arrive('answer')
  t.same(client.calls, ['readStart', 'readStop', 'write answer'])
  server.drain()
  t.ok(client.arrive('two'))
  t.same(server.calls, ['readStart', 'write one', 'write two'])
  t.same(client.calls, ['readStart', 'readStop', 'write answer', 'readStart'])
})

t.test('relay: both directions may be held back at once', async (t) => {
  const { client, server } = new Fixture(t)
  server.answers.push(PENDING)
  client.answers.push(PENDING)
  client.arrive('up')
  server.arrive('down')
  t.same([client.reading, server.reading], [false, false])
  client.drain()
  t.same([client.reading, server.reading], [false, true])
  server.drain()
  t.same([client.reading, server.reading], [true, true])
})

t.test('relay: the end follows what was held back', async (t) => {
  const { client, server, ends } = new Fixture(t)
  server.answers.push(PENDING)
  client.arrive('last words')
  t.equal(client.arriveEnd(), false, 'it is not read while the write is pending')
  t.notOk(server.calls.includes('end'))
  server.drain()
  client.arriveEnd()
  t.same(server.calls, ['readStart', 'write last words', 'end'])
  t.same(ends, [])
})

t.test('relay: a failed write stops reading, and the broken side says why', async (t) => {
  const { client, server, ends } = new Fixture(t)
  server.answers.push(FAILED)
  client.arrive('into the void')
  t.equal(client.reading, false)
  t.same(ends, [], 'what the server still has to say is heard first')
  server.arrive('too large')
  server.fail('EPIPE')
  t.same(client.calls, ['readStart', 'readStop', 'write too large', 'reset'])
  t.equal(server.closed, 'reset')
  t.same(ends, [{ kind: 'broken', side: 'upstream', code: 'EPIPE' }])
})

t.test('relay: finished needs both directions', async (t) => {
  const { client, server, ends } = new Fixture(t)
  client.arriveEnd()
  server.finish()
  t.same(ends, [])
  t.ok(server.arrive('still talking'))
  server.arriveEnd()
  t.same(ends, [], 'our end is not out yet')
  client.finish()
  t.same(ends, [{ kind: 'finished' }])
  t.same([client.closed, server.closed], ['close', 'close'])
})

t.test('relay: it ends once, whatever comes after', async (t) => {
  const { client, server, relay, ends } = new Fixture(t)
  client.fail('ECONNRESET')
  relay.onError(server, 'EPIPE')
  relay.onFinished()
  relay.onFinished()
  t.same(ends, [{ kind: 'broken', side: 'downstream', code: 'ECONNRESET' }])
})

t.test('relay: an abort resets both sides and tells nobody', async (t) => {
  const { client, server, relay, ends } = new Fixture(t)
  relay.abort()
  relay.abort()
  relay.onError(server, 'ECONNRESET')
  relay.onFinished()
  relay.onFinished()
  t.same([client.closed, server.closed], ['reset', 'reset'])
  t.same(ends, [])
})

t.test('relay: bytes are counted for the connection and its destination', async (t) => {
  const { client, server, relay, counters } = new Fixture(t)
  client.arrive('12345')
  server.arrive('123')
  client.arrive('1')
  t.match(relay, { received: 6, sent: 3 })
  t.same(counters, { received: 6, sent: 3 })
})

t.test('relay: every sign of life counts against idleness', async (t) => {
  const { clock, client, server, relay } = new Fixture(t)
  t.equal(relay.lastActive, 0)
  const signs: [string, () => void][] = [
    ['data up', () => client.arrive('x')],
    ['data down', () => server.arrive('x')],
    [
      'drain',
      () => {
        relay.onDrain(client)
      },
    ],
    ['end', () => client.arriveEnd()],
  ]
  for (const [name, sign] of signs) {
    clock.advance(1000)
    sign()
    t.equal(relay.lastActive, clock.now(), name)
  }
})
