// What init leaves in the kernel: written once, nothing of others touched, repaired after a crash, and gone after a
// cleanup. Both backends, IPv4 and IPv6; what is compared is what iptables-save prints.

import t, { type Test } from 'tap'
import { insideWorld } from '../../demo/pods/world.ts'
import { BACKENDS, ours, Redirected } from '../init/redirected.ts'

const skip = insideWorld() ? false : 'needs a world: npm test -- mesh/init'

/** Rules such as a network plugin leaves in a pod, around where ours go. */
const FOREIGN = [
  ['-N', 'FOREIGN'],
  [
    '-A',
    'FOREIGN',
    '-p',
    'udp',
    '--dport',
    '53',
    '-m',
    'comment',
    '--comment',
    'a "b" c',
    '-j',
    'RETURN',
  ],
  ['-A', 'OUTPUT', '-p', 'udp', '-j', 'FOREIGN'],
  ['-A', 'OUTPUT', '-p', 'tcp', '--dport', '9', '-j', 'RETURN'],
  ['-A', 'PREROUTING', '-p', 'tcp', '--dport', '9', '-j', 'RETURN'],
]

for (const backend of BACKENDS) {
  t.test(`init ${backend}: state of the kernel`, { skip }, async (t) => {
    const mesh = await Redirected.open(t, backend)
    const nat = async (family: 4 | 6, ...args: string[]): Promise<string> =>
      await mesh.iptables(family, '-t', 'nat', ...args)
    for (const family of [4, 6] as const) for (const rule of FOREIGN) await nat(family, ...rule)
    await mesh.iptables(4, '-t', 'mangle', '-A', 'PREROUTING', '-p', 'udp', '-j', 'ACCEPT')
    const foreign = await mesh.saved()
    await mesh.install()
    const installed = await mesh.saved()

    await t.test('init: leaves the rules of others as they were, in their order', async (t) => {
      t.same(withoutOurs(installed), withoutOurs(foreign))
      t.ok(ours(installed).length > 20, 'ours stand')
    })

    await t.test('init: a second run writes nothing', async (t) => {
      const probe = ['-p', 'tcp', '-m', 'comment', '--comment', 'underpass: outbound']
      await nat(4, '-Z')
      await mesh.shop.exec(1000, ['nc', '-z', '-w', '1', mesh.peer.ip, '80'])
      const before = await mesh.saved(true)
      t.match(
        before,
        /\[1:\d+\] -A OUTPUT .*underpass: outbound/,
        `a counter ran: ${probe.join(' ')}`,
      )
      const done = await mesh.init('--verify', 'false')
      t.equal(done.code, 0)
      t.match(done.stdout, /"changed":false/)
      t.equal(await mesh.saved(true), before, 'counters included')
    })

    await t.test('init: other options replace only what is ours', async (t) => {
      await mesh.install(
        '--drop-invalid',
        'true',
        '--inbound-ports-exclude',
        '22',
        '--mesh-port',
        '16008',
      )
      const changed = await mesh.saved()
      t.same(withoutOurs(changed), withoutOurs(foreign))
      t.match(changed, /ctstate INVALID -j DROP/)
      t.match(changed, /--dports 22 .*RETURN/)
      t.notMatch(changed, /15008/)
      await mesh.install()
      t.equal(await mesh.saved(), installed, 'and back')
    })

    await t.test('init: what a crash or a hand left half is repaired', async (t) => {
      for (const [what, damage] of DAMAGES) {
        for (const family of [4, 6] as const) for (const args of damage) await nat(family, ...args)
        t.not(await mesh.saved(), installed, `damaged: ${what}`)
        await mesh.install()
        t.same(ours(await mesh.saved()).toSorted(), ours(installed).toSorted(), `repaired: ${what}`)
        t.same(withoutOurs(await mesh.saved()), withoutOurs(foreign), `others kept: ${what}`)
      }
    })

    await t.test('init: runs at the same time agree', async (t) => {
      await cleanUp(t, mesh)
      const runs = await Promise.all(
        [1, 2, 3, 4].map(async () => await mesh.init('--verify', 'false')),
      )
      t.same(
        runs.map(({ code }) => code),
        [0, 0, 0, 0],
        runs.map((run) => run.stdout).join(''),
      )
      t.equal(await mesh.saved(), installed)
    })

    await t.test('init: a dry run prints the rules and writes nothing', async (t) => {
      await cleanUp(t, mesh)
      const before = await mesh.saved(true)
      const done = await mesh.init('--dry-run', '--inbound-ports-exclude', '22')
      t.equal(done.code, 0)
      t.match(done.stdout, /^# iptables-restore --noflush\n\*nat\n:UNDERPASS_INBOUND/)
      t.match(done.stdout, /# ip6tables-restore --noflush\n/)
      t.equal(await mesh.saved(true), before)
    })

    await t.test(
      'init: cleanup leaves exactly what was before, whatever was installed',
      async (t) => {
        await mesh.install(
          '--drop-invalid',
          'true',
          '--outbound-cidrs-include',
          '127.0.0.0/8,fd00::/8',
        )
        await cleanUp(t, mesh)
        t.equal(await mesh.saved(), foreign)
        const again = await mesh.init('--cleanup')
        t.equal(again.code, 0)
        t.match(again.stdout, /nothing to remove/)
        t.equal(await mesh.saved(), foreign)
      },
    )
  })
}

/** Each leaves ours in a state that no run of init ends in. */
const DAMAGES: readonly (readonly [string, readonly (readonly string[])[]])[] = [
  ['a jump is missing', [['-D', 'OUTPUT', '3']]],
  ['a jump stands twice', [['-A', 'OUTPUT', '-p', 'tcp', '-j', 'UNDERPASS_OUTPUT']]],
  ['a jump comes from elsewhere', [['-I', 'FOREIGN', '-p', 'tcp', '-j', 'UNDERPASS_OUTPUT']]],
  ['a chain is empty', [['-F', 'UNDERPASS_REDIRECT']]],
  ['a rule is another', [['-R', 'UNDERPASS_REDIRECT', '1', '-p', 'tcp', '-j', 'RETURN']]],
  [
    'rules stand in another order',
    [['-I', 'UNDERPASS_OUTPUT', '-p', 'tcp', '-j', 'UNDERPASS_REDIRECT']],
  ],
  [
    'only chains are left',
    [
      ['-D', 'OUTPUT', '3'],
      ['-D', 'PREROUTING', '2'],
    ],
  ],
  [
    'a chain of another version is left',
    [
      ['-N', 'UNDERPASS_OLD'],
      ['-A', 'UNDERPASS_OLD', '-j', 'RETURN'],
      ['-A', 'INPUT', '-j', 'UNDERPASS_OLD'],
    ],
  ],
  [
    'a chain is missing',
    [
      ['-F', 'UNDERPASS_OUTPUT'],
      ['-F', 'UNDERPASS_REDIRECT'],
      ['-X', 'UNDERPASS_REDIRECT'],
    ],
  ],
]

async function cleanUp(t: Test, mesh: Redirected): Promise<void> {
  const done = await mesh.init('--cleanup')
  t.equal(done.code, 0, done.stdout + done.stderr)
  t.same(ours(await mesh.saved()), [])
}

/** The rules of others, in their order. */
function withoutOurs(saved: string): string[] {
  return saved.split('\n').filter((line) => line.startsWith('-A') && !line.includes('UNDERPASS_'))
}
