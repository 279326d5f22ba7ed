// The rules as a function of the options: the parts of the text that decide what is captured.

import t from 'tap'
import { type FlagName, type Given, type Options, parseOptions } from '../../init/options.ts'
import { isLoopback, plannedRules } from '../../init/rules.ts'
import { NOTHING, transition } from '../../init/ruleset.ts'
import { Problems } from '../../src/lib/problems.ts'

function options(flags: Readonly<Partial<Record<FlagName, string>>> = {}): Options {
  const problems = new Problems()
  const given = Object.entries(flags).map(([name, text]): [FlagName, Given] => [
    name as FlagName,
    { text, path: name },
  ])
  const parsed = parseOptions(new Map(given), problems)
  if (problems.any) throw new Error(problems.toString())
  return parsed
}

/** The rules of one chain, comments taken out. */
function chain(
  name: string,
  flags: Parameters<typeof options>[0] = {},
  family: 4 | 6 = 4,
): string[] {
  const rules = plannedRules(options(flags), family).get('nat')?.chains.get(name) ?? []
  return rules.map((rule) => rule.replace(/-m comment --comment "[^"]*" /, ''))
}

t.test('rules: the whole text of a pod without options', async (t) => {
  t.equal(
    transition(NOTHING, plannedRules(options(), 6)),
    `*nat
:UNDERPASS_INBOUND - [0:0]
:UNDERPASS_IN_REDIRECT - [0:0]
:UNDERPASS_OUTPUT - [0:0]
:UNDERPASS_REDIRECT - [0:0]
-A UNDERPASS_INBOUND -i lo -m comment --comment "underpass: from this pod" -j RETURN
-A UNDERPASS_INBOUND -d fe80::/10 -m comment --comment "underpass: link-local" -j RETURN
-A UNDERPASS_INBOUND -p tcp -m multiport --dports 15008,15020 -m comment --comment "underpass: port of the proxy" -j RETURN
-A UNDERPASS_INBOUND -p tcp -j UNDERPASS_IN_REDIRECT
-A UNDERPASS_IN_REDIRECT -p tcp -j REDIRECT --to-ports 15006
-A UNDERPASS_OUTPUT -m owner --uid-owner 1337 -m comment --comment "underpass: the proxy" -j RETURN
-A UNDERPASS_OUTPUT -m owner --gid-owner 1337 -m comment --comment "underpass: the proxy" -j RETURN
-A UNDERPASS_OUTPUT -d fe80::/10 -m comment --comment "underpass: link-local" -j RETURN
-A UNDERPASS_OUTPUT -o lo -m comment --comment "underpass: inside this pod" -j RETURN
-A UNDERPASS_OUTPUT -p tcp -j UNDERPASS_REDIRECT
-A UNDERPASS_REDIRECT -p tcp -j REDIRECT --to-ports 15001
-A PREROUTING -p tcp -m addrtype --dst-type LOCAL -m comment --comment "underpass: inbound" -j UNDERPASS_INBOUND
-A OUTPUT -p tcp -m comment --comment "underpass: outbound" -j UNDERPASS_OUTPUT
COMMIT
`,
  )
})

t.test('rules: a multiport match holds 15 slots, a range takes two', async (t) => {
  const sixteen = Array.from({ length: 16 }, (_, index) => 1000 + 2 * index)
  const [, , , full, rest] = chain('UNDERPASS_INBOUND', {
    'inbound-ports-exclude': sixteen.join(','),
  })
  t.equal(full, `-p tcp -m multiport --dports ${sixteen.slice(0, 15).join(',')} -j RETURN`)
  t.equal(rest, '-p tcp -m multiport --dports 1030 -j RETURN')
  const ranges = Array.from(
    { length: 8 },
    (_, index) => `${2000 + 10 * index}-${2005 + 10 * index}`,
  )
  const matches = chain('UNDERPASS_INBOUND', { 'inbound-ports-exclude': ranges.join(',') })
  t.equal(matches[3]?.split(':').length, 8, 'seven ranges in the first')
  t.equal(matches[4], '-p tcp -m multiport --dports 2070:2075 -j RETURN')
})

t.test('rules: included ports and networks are captured together only', async (t) => {
  const flags = {
    'outbound-ports-include': '80,443',
    'outbound-cidrs-include': '10.0.0.0/8,fd00::/8',
  }
  t.same(chain('UNDERPASS_OUTPUT', flags).slice(-2), [
    '-o lo -j RETURN',
    '-d 10.0.0.0/8 -p tcp -m multiport --dports 80,443 -j UNDERPASS_REDIRECT',
  ])
  t.same(chain('UNDERPASS_OUTPUT', flags, 6).slice(-2), [
    '-o lo -j RETURN',
    '-d fd00::/8 -p tcp -m multiport --dports 80,443 -j UNDERPASS_REDIRECT',
  ])
})

t.test('rules: networks of one family capture nothing of the other', async (t) => {
  const rules = chain('UNDERPASS_OUTPUT', { 'outbound-cidrs-include': '10.0.0.0/8' }, 6)
  t.notOk(rules.some((rule) => rule.endsWith('UNDERPASS_REDIRECT')))
  const all = chain('UNDERPASS_OUTPUT', { 'outbound-cidrs-include': '0.0.0.0/0' })
  t.equal(all.at(-1), '-p tcp -j UNDERPASS_REDIRECT')
})

t.test('rules: everything excluded stands before anything captured', async (t) => {
  const rules = chain('UNDERPASS_OUTPUT', {
    'interfaces-exclude': 'tun+',
    'uids-exclude': '5,7-9',
    'gids-exclude': '6',
    'outbound-cidrs-exclude': '10.0.0.0/8',
    'outbound-ports-exclude': '25',
    'outbound-cidrs-include': '127.0.0.0/8',
  })
  t.same(rules.slice(2), [
    '-o tun+ -j RETURN',
    '-m owner --uid-owner 5 -j RETURN',
    '-m owner --uid-owner 7-9 -j RETURN',
    '-m owner --gid-owner 6 -j RETURN',
    '-d 10.0.0.0/8 -j RETURN',
    '-p tcp -m multiport --dports 25 -j RETURN',
    '-o lo -p tcp -m multiport --dports 15000,15001,15006,15008,15020 -j RETURN',
    '-o lo -d 127.0.0.0/8 -p tcp -j UNDERPASS_REDIRECT',
    '-o lo -j RETURN',
    '-d 127.0.0.0/8 -p tcp -j UNDERPASS_REDIRECT',
  ])
})

t.test('rules: from outside neither loopback nor link-local is captured', async (t) => {
  t.same(chain('UNDERPASS_INBOUND').slice(0, 2), ['-i lo -j RETURN', '-d 127.0.0.0/8 -j RETURN'])
  t.same(chain('UNDERPASS_INBOUND', {}, 6).slice(0, 2), [
    '-i lo -j RETURN',
    '-d fe80::/10 -j RETURN',
  ])
})

t.test('rules: invalid packets are dropped only where asked for', async (t) => {
  t.notOk(plannedRules(options(), 4).has('mangle'))
  const mangle = plannedRules(options({ 'drop-invalid': 'true' }), 4).get('mangle')
  t.same(mangle?.chains.get('UNDERPASS_INVALID'), ['-m conntrack --ctstate INVALID -j DROP'])
})

t.test('rules: what counts as a loopback network', async (t) => {
  t.ok(isLoopback({ text: '127.0.0.0/8', family: 4 }))
  t.ok(isLoopback({ text: '127.0.1.1/32', family: 4 }))
  t.ok(isLoopback({ text: '::1/128', family: 6 }))
  t.notOk(isLoopback({ text: '126.0.0.0/7', family: 4 }))
  t.notOk(isLoopback({ text: '0.0.0.0/0', family: 4 }))
  t.notOk(isLoopback({ text: '::/0', family: 6 }))
})
