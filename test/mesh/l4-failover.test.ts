// What happens when endpoints cannot be connected to: refused, silent, all of them, and how limits and descriptors
// that run out show. Nothing here may hang, and every failure has its name in the log and the metrics.

import t from 'tap'
import { insideWorld } from '../../demo/pods/world.ts'
import { policy, service } from '../support/manifests.ts'
import { Mesh } from '../support/mesh.ts'
import { until } from '../support/until.ts'

const skip = insideWorld() ? false : 'needs a world: npm test -- mesh/l4-failover'

const IP = '198.19.0.10'
const FAILURES = 'underpass_tcp_connect_failures_total'
const ERRORS = 'underpass_tcp_connection_errors_total'

t.test('l4: failover', { skip }, async (t) => {
  const mesh = await Mesh.open(t, { mode: 'l4' })
  const [client, one, two] = await Promise.all([
    mesh.meshed('client'),
    mesh.plain('one'),
    mesh.plain('two'),
  ])
  const { agent, sidecar } = client
  const endpoints = [{ ip: one.ip }, { ip: two.ip }]
  const turn = { loadBalancer: { algorithm: 'roundRobin' } }
  const announce = async (name: string, ip: string, port: number, spec = {}): Promise<void> => {
    const resources = service({ name, ips: [ip], port, endpoints })
    await mesh.publish(`${name}.yaml`, [...resources, policy(name, { ...turn, ...spec })])
  }

  await t.test('l4: a refused connect goes to another endpoint', async (t) => {
    await two.agent.listen(8080, { greeting: 'two', end: true })
    await announce('refused', IP, 8080)
    t.same(await agent.tally(12, IP, 8080), { two: 12 }, 'no client notices')
    const labels = { endpoint: `${one.ip}:8080`, reason: 'endpoint-refused' }
    t.ok((await sidecar.metric(FAILURES, labels)) >= 1)
    const line = await sidecar.logs({ event: 'connect-failed', error: 'endpoint-refused' })
    t.match(line, { service: 'refused.default:8080', endpoint: `${one.ip}:8080` })
  })

  await t.test('l4: a black hole costs the connect timeout once, and is avoided', async (t) => {
    await one.agent.listen(8081, { greeting: 'one', end: true })
    await two.agent.listen(8081, { greeting: 'two', end: true })
    const drop = ['INPUT', '-p', 'tcp', '--dport', '8081', '-j', 'DROP']
    await one.root('iptables', '-A', ...drop)
    await announce('hole', '198.19.0.11', 8081, { timeouts: { connect: '1s' } })
    const took: number[] = []
    for (let round = 0; round < 6; round += 1) {
      const start = performance.now()
      t.equal(await agent.ask('198.19.0.11', 8081), 'two')
      took.push(performance.now() - start)
    }
    const slow = took.filter((each) => each > 900)
    t.equal(slow.length, 1, `one waits: ${took.map(Math.round).join(' ')}`)
    t.ok((slow[0] ?? 0) < 1600, 'for the timeout and no longer')
    const labels = { endpoint: `${one.ip}:8081`, reason: 'endpoint-timeout' }
    t.equal(await sidecar.metric(FAILURES, labels), 1)
    await one.root('iptables', '-D', ...drop)
    const back = await until('the endpoint is used again', async () => {
      return (await agent.ask('198.19.0.11', 8081)) === 'one'
    })
    t.ok(back)
  })

  await t.test('l4: with no endpoint left the client gets a reset', async (t) => {
    await announce('down', '198.19.0.12', 8082)
    const start = performance.now()
    t.equal(await agent.ask('198.19.0.12', 8082), 'ECONNRESET')
    t.ok(performance.now() - start < 900, 'at once')
    for (const { ip } of endpoints) {
      const labels = { endpoint: `${ip}:8082`, reason: 'endpoint-refused' }
      t.equal(await sidecar.metric(FAILURES, labels), 1, `${ip} was tried once`)
    }
    const line = await sidecar.logs({ event: 'closed', service: 'down.default:8082' })
    t.match(line, { error: 'endpoint-refused', level: 'warn' })
    await mesh.publish(
      'empty.yaml',
      service({ name: 'empty', ips: ['198.19.0.13'], port: 8080, endpoints: [] }),
    )
    t.equal(await agent.ask('198.19.0.13', 8080), 'ECONNRESET')
    await sidecar.logs({ event: 'closed', error: 'no-endpoints' })
  })

  await t.test('l4: a service has at most as many connections as its policy says', async (t) => {
    await two.agent.listen(8083, { greeting: 'hello' })
    await one.agent.listen(8083, { greeting: 'hello' })
    await announce('few', '198.19.0.14', 8083, { circuitBreaker: { maxConnections: 3 } })
    const open = await Promise.all(
      [1, 2, 3].map(async () => {
        const socket = await agent.connect('198.19.0.14', 8083)
        await socket.reads('hello')
        return socket
      }),
    )
    t.equal(await agent.ask('198.19.0.14', 8083), 'ECONNRESET')
    await sidecar.logs({ event: 'refused', error: 'connection-limit', scope: 'few.default:8083' })
    open[0]?.do('reset')
    await open[0]?.over()
    const socket = await until('there is room again', async () => {
      const next = await agent.connect('198.19.0.14', 8083)
      await until('an answer', () => next.text !== '' || next.closed)
      return next.text === '' ? undefined : next
    })
    for (const each of [...open, socket]) each.do('reset')

    await announce('few', '198.19.0.14', 8083, { circuitBreaker: { maxConnections: 1 } })
    const direct = await agent.connect(two.ip, 8083)
    await direct.reads('hello')
    t.equal(await agent.ask(two.ip, 8083), 'ECONNRESET', 'an edit holds for its endpoints too')
    direct.do('reset')
    await announce('few', '198.19.0.14', 8083)
  })

  await t.test('l4: the proxy has at most maxConnections', async (t) => {
    const small = await mesh.meshed('small', { config: { maxConnections: 4 } })
    const open = Array.from({ length: 4 }, () => small.agent.dial('198.19.0.14', 8083))
    for (const socket of open) await socket.reads('hello')
    t.equal(await small.agent.ask(two.ip, 8083), 'ECONNRESET')
    await small.sidecar.logs({ event: 'refused', error: 'connection-limit', scope: 'proxy' })
    for (const each of open) each.do('reset')
    await until('there is room again', async () => {
      const socket = await small.agent.connect(two.ip, 8083)
      await until('an answer', () => socket.text !== '' || socket.closed)
      return socket.text === 'hello'
    })
  })

  await t.test('l4: a flood beyond the file descriptors is survived', async (t) => {
    await two.agent.listen(8084, { greeting: 'hello' })
    const wrapper = ['prlimit', '--nofile=80:80', '--']
    const poor = await mesh.meshed('poor', { wrapper })
    const { maxConnections: most } = await poor.sidecar.logs({ event: 'limit-lowered' })
    const flood = Array.from({ length: 200 }, () => poor.agent.dial(two.ip, 8084))
    await until('each is served or refused', () => {
      return flood.every(({ text, error }) => text !== '' || error === 'ECONNRESET')
    })
    t.equal(flood.filter(({ text }) => text === 'hello').length, most)
    await poor.sidecar.logs({ event: 'refused', error: 'connection-limit', limit: most })
    t.equal(poor.sidecar.child.exit, undefined, 'it is alive')
    for (const socket of flood) socket.do('reset')
    await Promise.all(flood.map((socket) => socket.over()))
    await until('it serves again', async () => {
      const socket = await poor.agent.connect(two.ip, 8084)
      await until('an answer', () => socket.text !== '' || socket.closed)
      socket.do('reset')
      return socket.text === 'hello'
    })
    t.ok((await poor.sidecar.metric(ERRORS, { reason: 'connection-limit' })) >= 200 - Number(most))
    t.same(poor.sidecar.find({ event: 'discovery-refused' }), [], 'discovery can still read')
    await until('nothing is left open', async () => {
      return (await poor.sidecar.metric('underpass_sessions')) === 0
    })
  })
})
