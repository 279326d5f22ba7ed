// How init ends: verified by a real connection, with 126 when that connection goes elsewhere, with 1 and nothing
// half-applied when a program fails, and in the backend that is in use.

import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { run } from '../../demo/pods/child.ts'
import { APP_UID } from '../../demo/pods/network.ts'
import { insideWorld } from '../../demo/pods/world.ts'
import { BACKENDS, ours, Redirected } from '../init/redirected.ts'

const skip = insideWorld() ? false : 'needs a world: npm test -- mesh/init'

for (const backend of BACKENDS) {
  t.test(`init ${backend}: verification`, { skip }, async (t) => {
    const mesh = await Redirected.open(t, backend)

    await t.test('init: proves both families by a real connection', async (t) => {
      const done = await mesh.init()
      t.equal(done.code, 0, done.stdout)
      t.match(done.stdout, /"family":4.*verified: a connection to 192\.0\.2\.1:9 arrived/)
      t.match(done.stdout, /"family":6.*verified: a connection to \[2001:db8::1\]:9 arrived/)
    })

    await t.test('init: the trial keeps to what the options capture', async (t) => {
      const cidrs = '198.19.0.0/16,::1,fd00:1::/64'
      const ports = ['--outbound-ports-include', '80-90', '--outbound-ports-exclude', '80']
      const done = await mesh.init('--outbound-cidrs-include', cidrs, ...ports)
      t.equal(done.code, 0, done.stdout)
      t.match(done.stdout, /verified: a connection to 198\.19\.255\.254:81 arrived/)
      t.match(done.stdout, /verified: a connection to \[::1\]:81 arrived/)
    })

    await t.test('init: says why there is nothing to try', async (t) => {
      const cases: readonly (readonly [string, RegExp])[] = [
        ['--uids-exclude=0', /not verified: connections of uid 0 are excluded/],
        ['--gids-exclude=0-9', /not verified: connections of gid 0 are excluded/],
        ['--outbound-ports-include=', /not verified: no outbound port is captured/],
        ['--outbound-cidrs-exclude=0.0.0.0/0,::/0', /not verified: no outbound IPv6 address/],
        ['--interfaces-exclude=eth0', /not verified: connections through eth0 are excluded/],
      ]
      for (const [flag, reason] of cases) {
        const done = await mesh.init(flag)
        t.equal(done.code, 0, done.stdout)
        t.match(done.stdout, reason)
      }
    })

    await t.test('init: ends with 126 when the connection is not redirected', async (t) => {
      for (const family of [4, 6] as const) {
        await mesh.iptables(family, '-t', 'nat', '-I', 'OUTPUT', '-p', 'tcp', '-j', 'RETURN')
        const done = await mesh.init()
        t.equal(done.code, 126, done.stdout)
        t.match(
          done.stdout,
          /"error":"init-failed".*(did not reach the proxy's port|was not redirected)/,
        )
        await mesh.iptables(family, '-t', 'nat', '-D', 'OUTPUT', '1')
      }
    })

    await t.test('init: ends with 126 when the connection is redirected elsewhere', async (t) => {
      const rule = ['OUTPUT', '-p', 'tcp', '-j', 'REDIRECT', '--to-ports', '7999']
      await mesh.iptables(4, '-t', 'nat', '-I', ...rule)
      const done = await mesh.init()
      t.equal(done.code, 126, done.stdout)
      t.match(done.stdout, /192\.0\.2\.1:9 was not redirected: ECONNREFUSED/)
      await mesh.iptables(4, '-t', 'nat', '-D', ...rule)
    })

    await t.test('init: leaves a proxy that runs already alone', async (t) => {
      await mesh.populate(7000)
      const done = await mesh.init()
      t.equal(done.code, 0, done.stdout)
      t.match(done.stdout, /not verified: nothing can listen on port 15001 \(EADDRINUSE\)/)
    })
  })

  t.test(`init ${backend}: failures`, { skip }, async (t) => {
    const mesh = await Redirected.open(t, backend)
    await mesh.install('--inbound-ports-exclude', '22')
    const before = await mesh.saved()
    const flags = ['--backend', backend, '--verify', 'false']
    const broken = { [`ip6tables-${backend}-save`]: 'echo no table for you >&2; exit 1' }

    await t.test('init: IPv4 goes back to what it was when IPv6 fails', async (t) => {
      const program = `ip6tables-${backend}-restore`
      const real = (await run(['sh', '-c', `command -v ${program}`])).trim()
      const script = `case "$*" in *--test*) exec ${real} "$@";; esac; echo out of luck >&2; exit 4`
      const done = await mesh.initWith({ [program]: script }, ...flags)
      t.equal(done.code, 1, done.stdout)
      t.match(done.stdout, /"error":"init-failed".*IPv4 rules are back.*out of luck/)
      t.equal(await mesh.saved(), before)
    })

    await t.test('init: an input that the kernel refuses changes nothing', async (t) => {
      const program = `iptables-${backend}-restore`
      const done = await mesh.initWith({ [program]: 'echo line 3 failed >&2; exit 2' }, ...flags)
      t.equal(done.code, 1, done.stdout)
      t.match(done.stdout, new RegExp(`program=${program}, status=2, said=line 3 failed`))
      t.equal(await mesh.saved(), before)
    })

    await t.test(
      'init: without a usable ip6tables it warns, or fails where IPv6 is demanded',
      async (t) => {
        const warned = await mesh.initWith(broken, ...flags)
        t.equal(warned.code, 0, warned.stdout)
        t.match(warned.stdout, /"warn".*IPv6 is not captured: .*no table for you/)
        const failed = await mesh.initWith(broken, ...flags, '--ipv6', 'on')
        t.equal(failed.code, 1, failed.stdout)
        t.match(failed.stdout, /init-failed.*no table for you/)
        const none = { [`ip6tables-${backend}`]: 'exit 127', ip6tables: 'exit 127' }
        const missing = await mesh.initWith(none, ...flags, '--ipv6', 'on')
        t.equal(missing.code, 1, missing.stdout)
        t.match(missing.stdout, new RegExp(`there is no ip6tables for ${backend}`))
        const off = await mesh.initWith(none, ...flags, '--ipv6', 'off')
        t.equal(off.code, 0, off.stdout)
      },
    )

    await t.test('init: without the rights it says what the program said', async (t) => {
      const command = ['node', 'build/src/cli/main.js', 'init', ...flags]
      const done = await mesh.shop.exec(APP_UID, command)
      t.equal(done.code, 1, done.stdout)
      t.match(done.stdout, /init-failed.*(you must be root|Permission denied)/)
      const cleanup = await mesh.shop.exec(APP_UID, [...command, '--cleanup'])
      t.equal(cleanup.code, 1, cleanup.stdout)
      t.match(cleanup.stdout, /init-failed.*(you must be root|Permission denied)/)
    })

    await t.test(
      'init: a cleanup that cannot look everywhere fails, and cleans the rest',
      async (t) => {
        await mesh.install()
        const done = await mesh.initWith(broken, '--cleanup')
        t.equal(done.code, 1, done.stdout)
        t.match(done.stdout, /init-failed.*no table for you/)
        t.notMatch(ours(await mesh.saved()).join(' '), /127\.0\.0\.0/, 'IPv4 is clean')
        const unserved = 'echo "Failed to initialize nft: Protocol not supported" >&2; exit 1'
        const other = backend === 'nft' ? 'legacy' : 'nft'
        const absent = {
          [`iptables-${other}-save`]: unserved,
          [`ip6tables-${other}-save`]: unserved,
        }
        const clean = await mesh.initWith(absent, '--cleanup')
        t.equal(clean.code, 0, clean.stdout)
        t.same(ours(await mesh.saved()), [])
      },
    )

    await t.test('init: a cleanup without any program that could look fails', async (t) => {
      const names = ['iptables', 'ip6tables'].flatMap((name) => [
        name,
        `${name}-nft`,
        `${name}-legacy`,
      ])
      const none = Object.fromEntries(names.map((name) => [name, 'exit 127']))
      const done = await mesh.initWith(none, '--cleanup')
      t.equal(done.code, 1, done.stdout)
      t.match(done.stdout, /init-failed.*missing=iptables/)
    })
  })
}

t.test('init auto: the backend in use', { skip }, async (t) => {
  const mesh = await Redirected.open(t, 'nft')
  const flags = ['--verify', 'false']
  const ends = async (backend: string, why: string): Promise<void> => {
    const done = await mesh.initWith({}, ...flags)
    t.match(done.stdout, `"backend":"${backend}"`, why)
  }
  const foreign = async (backend: string, what: string): Promise<void> => {
    const rule = [what, 'FORWARD', '-p', 'udp', '-j', 'ACCEPT']
    await mesh.shop.exec(0, [`iptables-${backend}`, '-w', '30', ...rule])
  }

  await foreign('legacy', '-A')
  await ends('legacy', 'legacy, where others use it')
  t.ok(ours(await mesh.saved()).length > 0)
  await foreign('legacy', '-D')
  await foreign('nft', '-A')
  await ends('legacy', 'where ours stand already')
  await mesh.install()
  t.equal(ours(await mesh.saved()).filter((line) => line.startsWith(':')).length, 8, 'moved to nft')
  await mesh.initWith({}, '--cleanup')
  await foreign('nft', '-D')
  await ends('nft', 'nft, where nobody uses either')
  await mesh.initWith({}, '--cleanup')
  const useless = { 'iptables-nft': 'case "$*" in *-S*) exit 3;; *) echo v1.8.9 nf_tables;; esac' }
  const done = await mesh.initWith(useless, ...flags)
  t.match(done.stdout, '"backend":"legacy"', 'legacy, where the kernel does not serve nft')
})

t.test('init legacy: waits for the lock, but not for ever', { skip }, async (t) => {
  const mesh = await Redirected.open(t, 'legacy')
  // The lock is one for the whole world; other tests wait for it while it is held here.
  const hold = mesh.shop.start(0, [
    'flock',
    '/run/xtables.lock',
    'sh',
    '-c',
    'echo held; read line',
  ])
  await hold.prints(/held/)
  const done = await mesh.init('--lock-wait', '1')
  t.equal(done.code, 1, done.stdout)
  t.match(done.stdout, /init-failed.*xtables lock/)
  const waiting = mesh.init('--lock-wait', '60', '--verify', 'false')
  await untilRestoring(mesh)
  await hold.finish('\n')
  t.equal((await waiting).code, 0, 'goes on when the lock is free')
})

/** Resolves once a program of iptables-legacy runs in the pod and can only be waiting. */
async function untilRestoring(mesh: Redirected): Promise<void> {
  for (;;) {
    const pids = (await run(['ip', 'netns', 'pids', mesh.shop.netns])).trim().split('\n')
    if (pids.some((pid) => commandOf(pid).includes('-restore'))) return
    await sleep(20)
  }
}

function commandOf(pid: string): string {
  const file = `/proc/${pid}/cmdline`
  try {
    return existsSync(file) ? readFileSync(file, 'utf8') : ''
  } catch {
    return ''
  }
}
