// Many streams on one connection of HTTP/2 through two sidecars: what a thousand of them cost, and what one whose client
// does not read costs the others.

import t from 'tap'
import { Conversation } from '../../demo/conversation.ts'
import { APP_UID } from '../../demo/pods/network.ts'
import { insideWorld } from '../../demo/pods/world.ts'
import { service } from '../support/manifests.ts'
import { Mesh } from '../support/mesh.ts'
import { until } from '../support/until.ts'

const skip = insideWorld() ? false : 'needs a world: npm test -- mesh/h2-memory'

const IP = '198.19.0.10'
const STREAMS = 1000
/** KiB that a stream with nothing under way may cost a sidecar, with what is left to be collected. */
const MOST = 24
/** KiB that a stream may cost whose windows are full: one each way, and what is read and not collected yet. */
const MOST_BUSY = 160
/** KiB by which it may grow when the same is done again. */
const SLACK = 24_576
const MEGABYTE = 1_048_576
const OPEN = 'underpass_http2_open_streams'

t.test('h2: memory', { skip }, async (t) => {
  const mesh = await Mesh.open(t)
  const [client, server] = await Promise.all([mesh.meshed('client'), mesh.meshed('server')])
  const app = server.pod.start(APP_UID, ['node', 'build/test/support/h2-program.js', 'h2', '8080'])
  await app.prints(/"listening"/)
  const endpoints = [{ ip: server.ip }]
  await mesh.publish(
    'shop.yaml',
    service({ name: 'shop', ips: [IP], port: 80, target: 8080, endpoints }),
  )
  const sidecars = [client.sidecar, server.sidecar]
  const talk = (): Conversation => {
    const program = 'build/test/support/h2-streams-program.js'
    return new Conversation(client.pod.start(APP_UID, ['node', program, `http://${IP}`]))
  }
  const streams = async (): Promise<number[]> =>
    await Promise.all(sidecars.map(async (sidecar) => await sidecar.metric(OPEN)))

  await t.test('h2: a thousand streams at once on one connection', async (t) => {
    const warm = talk()
    await warm.ask('open 1000')
    await warm.ask('say 32768')
    t.same(await warm.ask('end'), { whole: STREAMS })
    await until('all are closed', async () => (await streams()).every((open) => open === 0))
    const before = sidecars.map(({ rss }) => rss)
    const grown = (): number[] => sidecars.map(({ rss }, at) => rss - (before[at] ?? 0))
    const many = talk()
    await many.ask('open 1000')
    await many.ask('say 100')
    // Counted on both of its sides.
    t.same(await streams(), [2 * STREAMS, 2 * STREAMS])
    const idle = grown()
    t.ok(Math.max(...idle) / STREAMS < MOST, `KiB more with them open: ${idle.join()}`)
    for (let times = 0; times < 2; times += 1) await many.ask('say 32768')
    const busy = grown()
    t.ok(Math.max(...busy) / STREAMS < MOST_BUSY, `KiB more after 64 MB each way: ${busy.join()}`)
    for (let times = 0; times < 2; times += 1) await many.ask('say 32768')
    const later = grown()
    const more = later.map((each, at) => each - (busy[at] ?? 0))
    t.ok(Math.max(...more) < SLACK, `KiB more after another 64: ${more.join()}`)
    t.comment(`KiB more: ${idle.join()} idle, ${busy.join()} busy, ${later.join()} later`)
    t.same(await many.ask('end'), { whole: STREAMS })
    await until('none is left', async () => (await streams()).every((open) => open === 0))
  })

  await t.test('h2: one stream that nobody reads does not hold up fifty others', async (t) => {
    const mixed = talk()
    const before = sidecars.map(({ rss }) => rss)
    t.same(await mixed.ask(`stick ${20 * MEGABYTE}`), { status: 200 })
    const { whole, took } = (await mixed.ask(`bulk 50 ${MEGABYTE}`)) as {
      whole: number
      took: number
    }
    t.equal(whole, 50)
    t.ok(took < 5000, `after ${took} ms`)
    const grown = sidecars.map(({ rss }, at) => rss - (before[at] ?? 0))
    t.ok(Math.max(...grown) < SLACK, `KiB more: ${grown.join()}`)
    t.same(await streams(), [2, 2], 'it is still there')
    t.same(await mixed.ask('unstick'), { bytes: 20 * MEGABYTE }, 'and whole when it is read')
    t.comment(`50 MB beside it in ${took.toFixed(0)} ms`)
  })
})
