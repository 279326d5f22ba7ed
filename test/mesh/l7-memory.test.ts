// What a thousand idle connections that have carried a request each cost a sidecar, and what it gives back.

import t from 'tap'
import { insideWorld } from '../../demo/pods/world.ts'
import type { RemoteSocket } from '../support/agent.ts'
import { RemoteClient, statusOf } from '../support/http-remote.ts'
import { service } from '../support/manifests.ts'
import { Mesh, type MeshPod } from '../support/mesh.ts'
import { until } from '../support/until.ts'
import { WebServer } from '../support/web-server.ts'

const skip = insideWorld() ? false : 'needs a world: npm test -- mesh/l7-memory'

const IP = '198.19.0.10'
const CONNECTIONS = 1000
/** KiB for each. */
const MOST = 30

t.test('l7: memory', { skip }, async (t) => {
  const mesh = await Mesh.open(t)
  const [client, outsider, server] = await Promise.all([
    mesh.meshed('client'),
    mesh.plain('outsider'),
    mesh.meshed('server'),
  ])
  await WebServer.start(mesh, server)
  const endpoints = [{ ip: server.ip }]
  await mesh.publish(
    'shop.yaml',
    service({ name: 'shop', ips: [IP], port: 80, target: 8080, endpoints }),
  )
  const connections = async (
    { agent }: MeshPod,
    host: string,
    port: number,
    count: number,
  ): Promise<RemoteSocket[]> => {
    const all: RemoteSocket[] = []
    for (let left = count; left > 0; left -= 20) {
      const some = Array.from({ length: Math.min(20, left) }, async () => {
        const requester = await RemoteClient.open(agent, host, port)
        const status = statusOf(await requester.get('/'))
        if (status !== 200) throw new Error(`answered ${status}`)
        return requester.socket
      })
      all.push(...(await Promise.all(some)))
    }
    return all
  }
  const sides = [
    { what: 'outbound', from: client, host: IP, port: 80, sidecar: client.sidecar },
    { what: 'inbound', from: outsider, host: server.ip, port: 8080, sidecar: server.sidecar },
  ]

  for (const { what, from, host, port, sidecar } of sides) {
    await t.test(`l7: idle connections are cheap: ${what}`, async (t) => {
      const sessions = async (): Promise<number> => await sidecar.metric('underpass_sessions')
      // Other sidecars keep connections to this one.
      const others = await sessions()
      const close = async (all: readonly RemoteSocket[]): Promise<void> => {
        for (const socket of all) socket.do('reset')
        await until('all are closed', async () => (await sessions()) <= others)
      }
      // What the first ones bring with them is not theirs: compiled code, buffers that are kept.
      await close(await connections(from, host, port, 100))
      const before = sidecar.rss
      const all = await connections(from, host, port, CONNECTIONS)
      t.ok((await sessions()) >= CONNECTIONS)
      const atOnce = (sidecar.rss - before) / CONNECTIONS
      // Buffers are given back once a connection rests.
      const each = await until(`at most ${MOST} KiB each, not ${atOnce}`, () => {
        const now = (sidecar.rss - before) / CONNECTIONS
        return now < MOST ? [now] : undefined
      })
      t.comment(`${what}: ${atOnce.toFixed(1)} KiB each at once, ${each[0]?.toFixed(1)} at rest`)
      await close(all)
    })
  }
})
