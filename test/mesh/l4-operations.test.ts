// How a proxy is operated: what it refuses to start with, what it may do and where it listens, what the admin port
// answers, how it drains and ends.

import { readFileSync } from 'node:fs'
import t from 'tap'
import { PROXY_UID } from '../../demo/pods/network.ts'
import { insideWorld } from '../../demo/pods/world.ts'
import { pair } from '../support/agent.ts'
import { service } from '../support/manifests.ts'
import { Mesh } from '../support/mesh.ts'
import { until } from '../support/until.ts'

const skip = insideWorld() ? false : 'needs a world: npm test -- mesh/l4-operations'

const IP = '198.19.0.10'
const UNDERPASS = ['node', 'build/src/cli/main.js']

t.test('l4: operations', { skip }, async (t) => {
  const mesh = await Mesh.open(t, { mode: 'l4' })
  const [client, server] = await Promise.all([mesh.meshed('client'), mesh.meshed('server')])
  const endpoints = [{ ip: server.ip }]
  await mesh.publish(
    'shop.yaml',
    service({ name: 'shop', ips: [IP], port: 80, target: 8080, endpoints }),
  )
  const listener = await server.agent.listen(8080)
  const { agent, sidecar } = client

  await t.test('l4: no capability, and no port but those asked for', async (t) => {
    t.match(readFileSync(`/proc/${sidecar.child.pid}/status`, 'utf8'), /^Uid:\s+1337\s/m)
    t.match(sidecar.status('CapEff'), /^0+$/)
    const lines = (await client.root('ss', '-ltnpH')).trim().split('\n')
    const ours = lines.filter((line) => line.includes(`pid=${sidecar.child.pid},`))
    const places = ours.map((line) => line.trim().split(/\s+/)[3]).sort()
    t.same(places, ['*:15001', '*:15006', '127.0.0.1:15000'])
  })

  await t.test('l4: what the admin port answers', async (t) => {
    t.match(await sidecar.admin('/live'), { status: 200, body: 'live' })
    t.match(await sidecar.admin('/ready'), { status: 200, body: 'ready' })
    const config = JSON.parse((await sidecar.admin('/config')).body) as unknown
    t.match(config, { egress: 'allow', outbound: { transparent: { ip: '::', port: 15001 } } })
    const known = JSON.parse((await sidecar.admin('/endpoints')).body) as unknown
    t.match(known, [{ service: 'shop.default:80', endpoints: [{ address: `${server.ip}:8080` }] }])
    const { body } = await sidecar.admin('/metrics')
    for (const name of ['sessions', 'event_loop_delay_seconds', 'resident_memory_bytes']) {
      t.match(body, new RegExp(`^# HELP underpass_${name} `, 'm'))
    }
    t.match(await sidecar.admin('/metrics', '-I'), { status: 200 })
    t.match(await sidecar.admin('/nothing'), { status: 404, body: /GET \/ready/ })
    t.match(await sidecar.admin('/drain'), { status: 405, body: /POST \/drain/ })
    t.match(await sidecar.admin('/ready', '-X', 'POST'), { status: 405 })
    t.match(await sidecar.admin('/quit', '-X', 'POST', '-H', 'Host: evil.test'), { status: 421 })
    t.match(await sidecar.admin('/ready', '-H', 'Host: localhost:15000'), { status: 200 })
    t.equal(sidecar.child.exit, undefined)
  })

  await t.test(
    'l4: SIGTERM refuses new connections, lets an open one finish, ends with 0',
    async (t) => {
      const [near, far] = await pair(agent, listener, IP, 80)
      sidecar.child.process.kill('SIGTERM')
      await sidecar.logs({ event: 'draining' })
      t.match(await sidecar.admin('/ready'), { status: 503, body: /draining/ })
      t.equal(await agent.ask(IP, 80), 'ECONNREFUSED')
      near.write('one more thing')
      await far.reads('one more thing')
      far.write('done')
      await near.reads('done')
      t.equal(sidecar.child.exit, undefined, 'it waits')
      far.do('end')
      near.do('end')
      t.equal(await near.over(), '')
      t.same(await sidecar.child.exited, { code: 0, signal: null })
    },
  )

  await t.test(
    'l4: what is open when the grace is over is reset, and it ends with 0',
    async (t) => {
      const again = await mesh.sidecar(client.pod, { config: { drain: { grace: '1s' } } })
      const [near] = await pair(agent, listener, IP, 80)
      const start = performance.now()
      again.child.process.kill('SIGTERM')
      t.equal(await near.over(), 'ECONNRESET')
      t.same(await again.child.exited, { code: 0, signal: null })
      const took = performance.now() - start
      t.ok(took > 900 && took < 4000, `${Math.round(took)} ms`)
      t.equal(again.find({ event: 'closed', error: 'drain-timeout' }).length, 1)
    },
  )

  await t.test('l4: /drain stops accepting and stays, /quit ends with 0', async (t) => {
    const again = await mesh.sidecar(client.pod)
    const [near, far] = await pair(agent, listener, IP, 80)
    t.match(await again.admin('/drain', '-X', 'POST'), { status: 202 })
    t.equal(await agent.ask(IP, 80), 'ECONNREFUSED')
    near.write('still open')
    await far.reads('still open')
    near.do('reset')
    await until('no session', async () => (await again.metric('underpass_sessions')) === 0)
    t.equal((await again.admin('/live')).status, 200)
    t.match(await again.admin('/quit', '-X', 'POST'), { status: 202 })
    t.same(await again.child.exited, { code: 0, signal: null })
  })

  await t.test('l4: a bad configuration is refused with every problem, status 2', async (t) => {
    const path = mesh.config({
      egress: 'perhaps',
      maxConnections: 0,
      colour: 'red',
      admin: '0.0.0.0:15000',
    })
    const done = await client.pod.exec(PROXY_UID, [...UNDERPASS, 'proxy', '--config', path])
    t.equal(done.code, 2)
    for (const key of ['egress', 'maxConnections', 'colour', 'admin']) {
      t.match(done.stderr, new RegExp(`proxy-\\d+\\.yaml ${key}\\b`), key)
    }
    const missing = await client.pod.exec(PROXY_UID, [
      ...UNDERPASS,
      'proxy',
      '--config',
      '/nowhere.yaml',
    ])
    t.equal(missing.code, 2)
    t.match(missing.stderr, /nowhere\.yaml/)
  })

  await t.test('l4: a port that is taken is refused by name, status 2', async (t) => {
    const taken = await client.agent.listen(15001)
    const proxy = mesh.launch(client.pod)
    t.match(await proxy.child.exited, { code: 2 })
    t.match(proxy.child.stderr, /outbound\.transparent/)
    taken.close()
  })

  await t.test(
    'l4: bad manifests are refused at the start with every problem, status 2',
    async (t) => {
      mesh.write('bad.yaml', [
        { apiVersion: 'v1', kind: 'Servise', metadata: { name: 'x' } },
        {
          apiVersion: 'v1',
          kind: 'Service',
          metadata: { name: 'Shop' },
          spec: { ports: [{ port: 99999 }] },
        },
      ])
      const done = await client.pod.exec(PROXY_UID, [
        ...UNDERPASS,
        'proxy',
        '--config',
        mesh.config({}),
      ])
      t.equal(done.code, 2)
      t.match(done.stderr, /bad\.yaml#1 kind/)
      t.match(done.stderr, /bad\.yaml#2 metadata\.name/)
      t.match(done.stderr, /bad\.yaml#2 spec\.ports\[0\]\.port/)
    },
  )
})
