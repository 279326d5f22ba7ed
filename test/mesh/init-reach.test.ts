// What the installed rules leave alone though it arrives from outside: packets for somebody else, for loopback, and
// for link-local addresses. Redirecting them would lend the pod to others, or lose what the address needs.

import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { Pod } from '../../demo/pods/network.ts'
import { insideWorld } from '../../demo/pods/world.ts'
import { BACKENDS, Redirected } from '../init/redirected.ts'

const skip = insideWorld() ? false : 'needs a world: npm test -- mesh/init'

for (const backend of BACKENDS) {
  t.test(`init ${backend}: packets that are not for the pod`, { skip }, async (t) => {
    const mesh = await Redirected.open(t, backend)
    const { shop, peer } = mesh
    await mesh.populate(7000)
    const attacker = await mesh.network.pod('attacker')
    const mine = [`${shop.ip}:7000`, `[${shop.ip6}]:7000`]
    await mesh.install()

    await t.test('init: the pod is no relay to others', async (t) => {
      await must(shop, 'echo 0 > /proc/sys/net/ipv4/ip_forward')
      await must(shop, 'echo 0 > /proc/sys/net/ipv6/conf/all/forwarding')
      const victim = [`${peer.ip}:7000`, `[${peer.ip6}]:7000`]
      t.same(await mesh.dial(attacker, 0, ...victim), ['app 7000', 'app 7000'], 'it answers')
      await must(attacker, `ip route add ${peer.ip} via ${shop.ip}`)
      await must(attacker, `ip -6 route add ${peer.ip6} via ${shop.ip6}`)
      t.same(await mesh.dial(attacker, 0, ...mine, ...victim), [
        `15006 for ${shop.ip}:7000`,
        `15006 for [${shop.ip6}]:7000`,
        'timeout',
        'timeout',
      ])
    })

    await t.test('init: loopback is not reached from outside', async (t) => {
      await must(attacker, 'echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet')
      await must(attacker, 'ip route del table local local 127.0.0.0/8')
      await must(attacker, `ip route add 127.0.0.5 via ${shop.ip} dev eth0 src ${attacker.ip}`)
      t.same(await mesh.dial(attacker, 0, '127.0.0.5:7000'), ['timeout'])
    })

    await t.test('init: link-local addresses are reached directly', async (t) => {
      const [address] = await Promise.all([linkLocal(shop), linkLocal(peer)])
      t.same(await mesh.fromPeer(`[${address}%eth0]:7000`), ['app 7000'])
    })
  })
}

async function must(pod: Pod, command: string): Promise<void> {
  const done = await pod.exec(0, ['sh', '-c', command])
  if (done.code !== 0) throw new Error(`${command}: ${done.stderr}`)
}

/** The pod's link-local address, once nobody else was found to have it. */
async function linkLocal(pod: Pod): Promise<string> {
  const show = ['ip', '-6', '-o', 'address', 'show', 'dev', 'eth0', 'scope', 'link', '-tentative']
  for (;;) {
    const { stdout } = await pod.exec(0, show)
    const found = /inet6 (fe80:[^/]*)/.exec(stdout)?.[1]
    if (found !== undefined) return found
    await sleep(50)
  }
}
