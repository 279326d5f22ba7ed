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
  })
}
