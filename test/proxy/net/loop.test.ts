// A connection that leads back to us, over both kinds of sockets: it must be seen before it eats the machine.

import t from 'tap'
import { systemClock } from '../../../src/lib/clock.ts'
import { chooseSockets } from '../../../src/proxy/net/sockets.ts'
import { CounterRegistry } from '../../../src/proxy/stack/counters.ts'
import { Destination, SinglePicker } from '../../../src/proxy/stack/destination.ts'
import { Endpoint } from '../../../src/proxy/stack/endpoint.ts'
import { Sessions } from '../../../src/proxy/upstream/sessions.ts'
import { logLines } from '../../support/log-lines.ts'
import { dial, until } from '../../support/tcp.ts'

for (const kind of ['auto', 'streams'] as const) {
  t.test(
    `loop over ${kind}: a listener whose endpoint is itself stops after four passes`,
    async (t) => {
      const { sockets } = chooseSockets(kind)
      const counters = new CounterRegistry()
      const { log } = logLines('silent')
      const limits = { keepAlive: 0, maxConnections: 50 }
      const sessions = new Sessions(sockets, systemClock, limits, counters, log)
      let accepted = 0
      const acceptor = {
        onAccept: (connection: Parameters<Sessions['start']>[0]) => {
          accepted += 1
          const admitted = sessions.admit(connection, destination, connection.local())
          if (admitted !== undefined) sessions.start(connection, destination, admitted)
        },
        onAcceptFailed: () => undefined,
      }
      const listener = await sockets.listen({ ip: '127.0.0.1', port: 0 }, acceptor, limits)
      const line = counters.of('outbound', 'loop', '')
      const rules = { connectTimeout: 1000, idleTimeout: 0 }
      const picker = new SinglePicker(new Endpoint(listener.address, 1, line))
      const destination: Destination = new Destination('outbound', 'loop', picker, rules)
      t.teardown(async () => {
        listener.close()
        await sessions.drain(0)
        sessions.stop()
      })
      const client = await dial(listener.address.port)
      client.on('error', () => undefined)
      await until('the client is told', () => client.destroyed)
      const reasons = [...counters.errors()].map(({ reason }) => reason)
      t.ok(reasons.includes('proxy-loop'), reasons.join())
      t.notOk(reasons.includes('connection-limit'))
      t.equal(accepted, 5)
    },
  )
}
