// Which connections the installed rules redirect, seen by programs on both sides of them: really applied rules of
// both backends, IPv4 and IPv6.

import t from 'tap'
import { PROXY_UID } from '../../demo/pods/network.ts'
import { insideWorld } from '../../demo/pods/world.ts'
import { BACKENDS, Redirected, SERVICE, SERVICE6 } from '../init/redirected.ts'

const skip = insideWorld() ? false : 'needs a world: npm test -- mesh/init'

for (const backend of BACKENDS) {
  t.test(`init ${backend}: traffic of a pod`, { skip }, async (t) => {
    const mesh = await Redirected.open(t, backend)
    const { shop, peer } = mesh
    await mesh.populate(7000, 7001, 8000)
    const out = `${peer.ip}:7000`
    const out6 = `[${peer.ip6}]:7000`

    await t.test(
      'init: outbound connections arrive at the proxy with their destination',
      async (t) => {
        await mesh.install()
        t.same(await mesh.fromApp(out, out6, `${SERVICE}:80`, `[${SERVICE6}]:80`), [
          `15001 for ${out}`,
          `15001 for ${out6}`,
          `15001 for ${SERVICE}:80`,
          `15001 for [${SERVICE6}]:80`,
        ])
      },
    )

    await t.test(
      'init: inbound connections arrive at the proxy with their destination',
      async (t) => {
        t.same(await mesh.fromPeer(`${shop.ip}:7000`, `[${shop.ip6}]:7000`, `${shop.ip}:22`), [
          `15006 for ${shop.ip}:7000`,
          `15006 for [${shop.ip6}]:7000`,
          `15006 for ${shop.ip}:22`,
        ])
      },
    )

    await t.test('init: what an application dials inside its pod stays there', async (t) => {
      const own = ['127.0.0.1', '127.0.1.1', '[::1]', shop.ip, `[${shop.ip6}]`]
      const said = await mesh.fromApp(...own.map((ip) => `${ip}:7000`))
      t.same(
        said,
        own.map(() => 'app 7000'),
      )
    })

    await t.test(
      "init: the proxy's own connections are let through, also to its own pod",
      async (t) => {
        const said = await mesh.dial(
          shop,
          PROXY_UID,
          out,
          out6,
          `${shop.ip}:7000`,
          `[${shop.ip6}]:7000`,
        )
        t.same(said, ['app 7000', 'app 7000', 'app 7000', 'app 7000'])
        t.same(await mesh.fromIds(1000, PROXY_UID, out), ['app 7000'], 'its group too')
      },
    )

    await t.test('init: excluded ports are left alone, both ways', async (t) => {
      await mesh.install('--outbound-ports-exclude', '7000', '--inbound-ports-exclude', '6999-7000')
      t.same(await mesh.fromApp(out, out6, `${peer.ip}:7001`), [
        'app 7000',
        'app 7000',
        `15001 for ${peer.ip}:7001`,
      ])
      t.same(await mesh.fromPeer(`${shop.ip}:7000`, `[${shop.ip6}]:7000`, `${shop.ip}:7001`), [
        'app 7000',
        'app 7000',
        `15006 for ${shop.ip}:7001`,
      ])
    })

    await t.test('init: only included ports are captured, and exclusion wins', async (t) => {
      const ports = [
        '--outbound-ports-include',
        '7001,8000-8010',
        '--outbound-ports-exclude',
        '8000',
      ]
      await mesh.install(...ports, '--inbound-ports-include', '7001')
      t.same(await mesh.fromApp(out, `${peer.ip}:7001`, `${peer.ip}:8000`, `[${SERVICE6}]:8005`), [
        'app 7000',
        `15001 for ${peer.ip}:7001`,
        'app 8000',
        `15001 for [${SERVICE6}]:8005`,
      ])
      t.same(await mesh.fromPeer(`${shop.ip}:7000`, `[${shop.ip6}]:7001`), [
        'app 7000',
        `15006 for [${shop.ip6}]:7001`,
      ])
    })

    await t.test('init: no included port captures nothing', async (t) => {
      await mesh.install('--outbound-ports-include', '', '--inbound-ports-include', '')
      t.same(await mesh.fromApp(out, out6), ['app 7000', 'app 7000'])
      t.same(await mesh.fromPeer(`${shop.ip}:7000`), ['app 7000'])
    })

    await t.test('init: more ports than one multiport match holds', async (t) => {
      const odd = Array.from({ length: 40 }, (_, index) => 8001 + 2 * index)
      const ranges = Array.from(
        { length: 10 },
        (_, index) => `${6001 + 10 * index}-${6005 + 10 * index}`,
      )
      const excluded = [...odd, ...ranges, '7000'].join(',')
      await mesh.install('--outbound-ports-exclude', excluded, '--inbound-ports-exclude', excluded)
      t.same(await mesh.fromApp(out, `${SERVICE}:8002`, `${peer.ip}:8000`), [
        'app 7000',
        `15001 for ${SERVICE}:8002`,
        `15001 for ${peer.ip}:8000`,
      ])
      t.same(await mesh.fromApp(`${shop.ip}:6091`, `${peer.ip}:8079`), [
        'ECONNREFUSED',
        'ECONNREFUSED',
      ])
      t.same(await mesh.fromPeer(`${shop.ip}:7000`, `${shop.ip}:6006`, `${shop.ip}:8079`), [
        'app 7000',
        `15006 for ${shop.ip}:6006`,
        'ECONNREFUSED',
      ])
    })

    await t.test("init: the mesh port and the proxy's metrics are never redirected", async (t) => {
      await mesh.install()
      t.same(await mesh.fromPeer(`${shop.ip}:15008`, `[${shop.ip6}]:15020`), [
        'ECONNREFUSED',
        'ECONNREFUSED',
      ])
    })

    await t.test(
      'init: excluded networks are left alone, and only included ones captured',
      async (t) => {
        await mesh.install('--outbound-cidrs-exclude', `${peer.ip}/32,fd00::/64`)
        t.same(await mesh.fromApp(out, out6, `${SERVICE}:80`, `[${SERVICE6}]:80`), [
          'app 7000',
          'app 7000',
          `15001 for ${SERVICE}:80`,
          `15001 for [${SERVICE6}]:80`,
        ])
        await mesh.install('--outbound-cidrs-include', '198.19.0.0/16')
        t.same(await mesh.fromApp(out, out6, `${SERVICE}:80`), [
          'app 7000',
          'app 7000',
          `15001 for ${SERVICE}:80`,
        ])
      },
    )

    await t.test('init: loopback is captured where its network is named', async (t) => {
      await mesh.install('--outbound-cidrs-include', '127.0.0.0/8,::1,198.18.0.0/15')
      t.same(await mesh.fromApp('127.0.0.1:7000', '127.0.1.1:7000', '[::1]:7000', out), [
        '15001 for 127.0.0.1:7000',
        '15001 for 127.0.1.1:7000',
        '15001 for [::1]:7000',
        `15001 for ${out}`,
      ])
      t.same(await mesh.fromApp(`${shop.ip}:7000`), ['app 7000'], "the pod's own address is not")
      t.same(await mesh.dial(shop, PROXY_UID, '127.0.0.1:7000', '[::1]:7000'), [
        'app 7000',
        'app 7000',
      ])
      t.same(await mesh.fromApp('127.0.0.1:15000'), ['ECONNREFUSED'], "nor are the proxy's ports")
    })

    await t.test('init: excluded users and groups are left alone', async (t) => {
      await mesh.install('--uids-exclude', '2000,3000-3005', '--gids-exclude', '4000-4001')
      t.same(await mesh.fromIds(2000, 1000, out, out6), ['app 7000', 'app 7000'])
      t.same(await mesh.fromIds(3004, 1000, out), ['app 7000'])
      t.same(await mesh.fromIds(3006, 1000, out), [`15001 for ${out}`])
      t.same(await mesh.fromIds(1000, 4001, out), ['app 7000'])
      t.same(await mesh.fromIds(1000, 4002, out), [`15001 for ${out}`])
    })

    await t.test('init: excluded interfaces are left alone, both ways', async (t) => {
      for (const name of ['eth0', 'et+']) {
        await mesh.install('--interfaces-exclude', `tun0,${name}`)
        t.same(await mesh.fromApp(out, out6), ['app 7000', 'app 7000'])
        t.same(await mesh.fromPeer(`${shop.ip}:7000`, `[${shop.ip6}]:7000`), [
          'app 7000',
          'app 7000',
        ])
      }
    })

    await t.test('init: without IPv6 only IPv4 is captured', async (t) => {
      await mesh.install('--ipv6', 'off')
      t.same(await mesh.fromApp(out, out6), [`15001 for ${out}`, 'app 7000'])
    })

    await t.test('init: cleanup gives every connection back', async (t) => {
      t.equal((await mesh.init('--cleanup')).code, 0)
      t.same(await mesh.fromApp(out, out6), ['app 7000', 'app 7000'])
      t.same(await mesh.fromPeer(`${shop.ip}:7000`, `[${shop.ip6}]:7000`), ['app 7000', 'app 7000'])
    })
  })
}
