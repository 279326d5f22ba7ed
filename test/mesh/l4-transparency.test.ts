// What deserves the word transparent, through two sidecars: who speaks first, half-close and reset in both
// directions, silence, a reader that stops, many at once. Both ends are programs that see what applications see.

import t from 'tap'
import { insideWorld } from '../../demo/pods/world.ts'
import { pair, type RemoteSocket } from '../support/agent.ts'
import { policy, service } from '../support/manifests.ts'
import { Mesh } from '../support/mesh.ts'
import { until } from '../support/until.ts'

const skip = insideWorld() ? false : 'needs a world: npm test -- mesh/l4-transparency'

const IP = '198.19.0.10'
const IP6 = 'fd00:1::10'
const OPENED = 'underpass_tcp_connections_opened_total'
const RECEIVED = 'underpass_tcp_received_bytes_total'

// With L7 the first bytes are looked at, and what is not HTTP must not notice.
for (const mode of ['l4', 'l7']) {
  t.test(`l4: transparency in mode ${mode}`, { skip }, async (t) => {
    const mesh = await Mesh.open(t, { mode })
    const debug = { config: { log: { level: 'debug' }, keepAlive: '45s' } }
    const [client, server] = await Promise.all([
      mesh.meshed('client', debug),
      mesh.meshed('server', debug),
    ])
    const ips = [IP, IP6]
    const endpoints = [{ ip: server.ip }]
    const echo = service({ name: 'echo', ips, port: 80, target: 8080, endpoints })
    const deaf = service({ name: 'deaf', ips: ['198.19.0.11'], port: 80, target: 8081, endpoints })
    await mesh.publish('echo.yaml', [...echo, ...deaf])
    const listener = await server.agent.listen(8080)
    const sinks = await server.agent.listen(8081, { paused: true })

    await t.test(
      'l4: both sidecars carry it, and the application sees its real client',
      async (t) => {
        for (const ip of [IP, IP6, server.ip, server.ip6]) {
          const [near, far] = await pair(
            client.agent,
            listener,
            ip,
            ip.includes('198.19') || ip === IP6 ? 80 : 8080,
          )
          near.write('question')
          await far.reads('question')
          far.write('answer')
          await near.reads('answer')
          near.do('end')
          await far.until('the end', () => far.ended)
          far.do('end')
          t.equal(await near.over(), '')
        }
        t.equal(await client.sidecar.metric(OPENED, { direction: 'outbound' }), 4)
        t.equal(await server.sidecar.metric(OPENED, { direction: 'inbound' }), 4)
        t.equal(await server.sidecar.metric(OPENED, { direction: 'outbound' }), 0)
        t.equal(await server.sidecar.metric(RECEIVED, { direction: 'inbound' }), 4 * 8)
        const line = await client.sidecar.logs({ event: 'closed', level: 'debug' })
        t.match(line, {
          service: 'echo.default:80',
          endpoint: `${server.ip}:8080`,
          received: 8,
          sent: 6,
        })
        await until('one line for each closed connection', () => {
          return client.sidecar.find({ event: 'closed', level: 'debug' }).length === 4
        })
        t.equal(server.sidecar.find({ event: 'closed', level: 'debug' }).length, 4)
      },
    )

    await t.test('l4: the server may speak first', async (t) => {
      const [near, far] = await pair(client.agent, listener, IP, 80)
      far.write('220 at your service')
      await near.reads('220 at your service')
      await finish(near, far)
      t.pass()
    })

    await t.test('l4: the client may close its direction first', async (t) => {
      const [near, far] = await pair(client.agent, listener, IP, 80)
      near.write('the last word')
      near.do('end')
      await far.until('the end', () => far.ended)
      t.equal(far.text, 'the last word')
      far.write('heard')
      await near.reads('heard')
      t.notOk(near.ended, 'the other direction is open')
      far.do('end')
      t.equal(await near.over(), '')
      t.equal(await far.over(), '')
    })

    await t.test('l4: the server may close its direction first', async (t) => {
      const [near, far] = await pair(client.agent, listener, IP, 80)
      far.write('no more from here')
      far.do('end')
      await near.until('the end', () => near.ended)
      t.equal(near.text, 'no more from here')
      near.write('thanks')
      await far.reads('thanks')
      t.notOk(far.ended)
      near.do('end')
      t.equal(await far.over(), '')
      t.equal(await near.over(), '')
    })

    await t.test('l4: a reset on one side is a reset on the other', async (t) => {
      const [near, far] = await pair(client.agent, listener, IP, 80)
      near.do('reset')
      t.equal(await far.over(), 'ECONNRESET')
      const [near2, far2] = await pair(client.agent, listener, IP, 80)
      near2.write('question')
      await far2.reads('question')
      far2.write('half an ans')
      await near2.reads('half an ans')
      far2.do('reset')
      t.equal(await near2.over(), 'ECONNRESET')
      await client.sidecar.logs({ event: 'closed', error: 'downstream-reset', level: 'info' })
      await client.sidecar.logs({ event: 'closed', error: 'upstream-reset', level: 'warn' })
      await server.sidecar.logs({ event: 'closed', error: 'upstream-reset' })
    })

    await t.test('l4: a reset after a half-close is one, too', async (t) => {
      const [near, far] = await pair(client.agent, listener, IP, 80)
      near.do('end')
      await far.until('the end', () => far.ended)
      far.do('reset')
      t.equal(await near.over(), 'ECONNRESET')
      const [near1, far1] = await pair(client.agent, listener, IP, 80)
      near1.do('end')
      await far1.until('the end', () => far1.ended)
      near1.do('reset')
      // Nobody reads any more where this reset arrives, nor would a program that has seen the end.
      for (const { sidecar } of [client, server]) {
        await until('the reset is seen', async () => {
          return (await sidecar.metric('underpass_sessions')) === 0
        })
      }
      far1.do('reset')
      const [near2, far2] = await pair(client.agent, listener, IP, 80)
      far2.do('end')
      await near2.until('the end', () => near2.ended)
      near2.do('reset')
      t.equal(await far2.over(), 'ECONNRESET')
    })

    await t.test('l4: keepalive is set on both sides of both sidecars', async (t) => {
      const [near, far] = await pair(client.agent, listener, IP, 80)
      for (const pod of [client, server]) {
        const lines = (await pod.root('ss', '-tnopH', 'state', 'established')).split('\n')
        const ours = lines.filter((line) => line.includes(`pid=${pod.sidecar.child.pid},`))
        const carried = ours.filter((line) => !line.includes(':15000'))
        t.equal(carried.length, 2, 'downstream and upstream')
        for (const line of carried) t.match(line, /timer:\(keepalive,4\dsec/, line)
      }
      await finish(near, far)
    })

    await t.test('l4: a stopped reader costs no memory, however fast the sender', async (t) => {
      const flows = 20
      const base = [client.sidecar.rss, server.sidecar.rss]
      const senders = Array.from({ length: flows }, () => client.agent.dial('198.19.0.11', 80))
      for (const sender of senders) {
        await sender.until('its connect', () => sender.connected)
        sender.do('flood')
      }
      await until('every connection has come', () => sinks.accepted.length === flows)
      let moved = -1
      await until('nothing moves any more', async () => {
        const now = await client.sidecar.metric(RECEIVED, { service: 'deaf.default:80' })
        const still = now === moved && now > flows * 65_536
        moved = now
        return still
      })
      const growth = [client, server].map(({ sidecar }, at) => sidecar.rss - (base[at] ?? 0))
      for (const kib of growth) t.ok(kib < flows * 1024, `${kib} KiB for ${flows} connections`)
      t.equal(sinks.accepted.length, flows)
      for (const sender of senders) sender.do('reset')
      await until('a reset of a sender that is held back is seen, too', async () => {
        return (await server.sidecar.metric('underpass_sessions')) === 0
      })
    })

    await t.test('l4: 2000 connections at once', async (t) => {
      const before = listener.accepted.length
      const count = 2000
      const all = Array.from({ length: count }, () => client.agent.dial(IP, 80))
      await until(`${count} have come`, () => listener.accepted.length === before + count, 30_000)
      const open = await client.sidecar.metric('underpass_sessions')
      t.equal(open, count)
      t.equal(await server.sidecar.metric('underpass_sessions'), count)
      for (const [index, far] of listener.accepted.slice(before).entries()) far.write(`${index};`)
      await until('each has its answer', () => all.every(({ text }) => text.endsWith(';')), 30_000)
      t.equal(new Set(all.map(({ text }) => text)).size, count, 'and a different one')
      for (const socket of all) socket.do('end')
      await until(
        'each end arrives',
        () => listener.accepted.slice(before).every((far) => far.ended),
        30_000,
      )
      for (const far of listener.accepted.slice(before)) far.do('end')
      await Promise.all(all.map(async (socket) => await socket.over(30_000)))
      t.same(new Set(all.map(({ error }) => error)), new Set(['']))
    })

    await t.test(
      'l4: a client that says nothing is ended by the idle timeout, on both hops',
      async (t) => {
        const idle = policy('echo', { timeouts: { idle: '2s' } })
        await mesh.publish('echo.yaml', [...echo, ...deaf, idle])
        const [near, far] = await pair(client.agent, listener, IP, 80)
        const start = performance.now()
        t.equal(await near.over(), 'ECONNRESET')
        t.equal(await far.over(), 'ECONNRESET')
        const took = performance.now() - start
        t.ok(took > 1000 && took < 5000, `after ${Math.round(took)} ms`)
        await client.sidecar.logs({ event: 'closed', error: 'idle-timeout' })

        const strict = await mesh.meshed('strict', {
          config: { inbound: { timeouts: { idle: '2s' } } },
        })
        const door = await strict.agent.listen(8080)
        const [near2, far2] = await pair(client.agent, door, strict.ip, 8080)
        t.equal(await near2.over(), 'ECONNRESET')
        t.equal(await far2.over(), 'ECONNRESET')
        await strict.sidecar.logs({ event: 'closed', error: 'idle-timeout', direction: 'inbound' })
      },
    )
  })
}

async function finish(near: RemoteSocket, far: RemoteSocket): Promise<void> {
  near.do('end')
  far.do('end')
  await Promise.all([near.over(), far.over()])
}
