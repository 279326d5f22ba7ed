// `npm start` from outside: the tour's verdicts and exit code, what it says of a mesh that is broken behind its
// back, the live table, and that nothing is left, however it ends.

import t, { type Test } from 'tap'
import { Child } from '../../demo/pods/child.ts'
import { insideWorld } from '../../demo/pods/world.ts'
import { carriers, killAll, newToken, textOf, untilGone } from './leftovers.ts'

const skip = insideWorld() ? false : 'needs a world: npm test -- mesh/demo'
const DEMO = 'build/demo/main.js'
const START_LIMIT = 60_000
const VERDICTS = [
  'captured in both directions',
  "the application's peer is its sidecar",
  'balanced over three instances',
  'calls to itself',
  'IPv6',
  'the server speaks first',
  'outside of the mesh',
  'one busy connection, two quiet ones',
  'switched while connections are open',
  'every request is counted',
  'malformed requests are refused',
  'a WebSocket passes through',
  'one HTTP/2 connection, spread by request',
  'a client is kept by a cookie',
  'a sick instance is set aside',
  'a fault that a policy asks for',
  'a request has its time',
  'an instance is killed, L4',
  'and started again',
  'an instance is killed under requests, L7',
  'and again started',
  'a manifest is edited',
  'and edited back',
]

/** The demo in a world of its own, though this test is in one already. */
function start(t: Test, token: string, ...args: readonly string[]): Child {
  const clean = ['env', '-u', 'UNDERPASS_WORLD', `LEFTOVER=${token}`, 'NO_COLOR=1']
  const child = new Child([...clean, 'node', DEMO, ...args])
  t.teardown(() => {
    killAll(token, 'environ')
  })
  return child
}

function lines(child: Child, word: 'ok' | 'FAILED'): string[] {
  return child.stdout.split('\n').filter((line) => line.startsWith(`${word} `))
}

t.test('demo: the tour is ok from end to end and leaves nothing', { skip }, async (t) => {
  const token = newToken()
  const child = start(t, token, '--once')
  const { code } = await child.exited
  for (const name of VERDICTS) {
    t.ok(
      lines(child, 'ok').some((line) => line.includes(name)),
      name,
    )
  }
  t.match(child.stdout, new RegExp(`^${VERDICTS.length} ok, 0 failed$`, 'm'))
  const shares = /^ +reviews-\d +\S* +(\d+) % +\d+ +\S+ +(\d+) % +\d+$/gm
  const [l4, l7] = [1, 2].map((column) =>
    [...child.stdout.matchAll(shares)].map((line) => Number(line[column])),
  )
  t.equal(l4?.length, 3, 'a line an instance')
  t.ok(Math.max(...(l4 ?? [])) >= 80, `L4 is uneven: ${l4?.join()}`)
  t.ok(Math.max(...(l7 ?? [])) <= 40, `L7 is even: ${l7?.join()}`)
  t.equal(code, 0, child.describe())
  t.same(await untilGone(token, 'environ'), [])
})

t.test('demo: a mesh that breaks on the way fails the tour, with reasons', { skip }, async (t) => {
  const token = newToken()
  const child = start(t, token, '--once')
  await child.prints(/^ok /m, START_LIMIT)
  const proxies = carriers(token, 'environ').filter((pid) =>
    /main\.js\0proxy\0.*web\.yaml/.test(textOf(pid, 'cmdline')),
  )
  t.equal(proxies.length, 1, "web's sidecar is one process")
  for (const pid of proxies) process.kill(pid, 'SIGKILL')
  const { code } = await child.exited
  t.equal(code, 1)
  t.ok(lines(child, 'FAILED').length >= 5, child.stdout)
  t.match(child.stdout, /the sidecar of web does not answer/)
  t.match(child.stdout, /^\d+ ok, \d+ failed$/m, 'it goes on to the end')
  t.same(await untilGone(token, 'environ'), [])
})

t.test('demo: killed in the middle it leaves nothing, and starts again', { skip }, async (t) => {
  const token = newToken()
  const first = start(t, token)
  await first.prints(/ redirects /, START_LIMIT)
  process.kill(first.pid, 'SIGKILL')
  t.same(await untilGone(token, 'environ'), [])

  const second = start(t, token, '--rate', '10')
  await second.prints(/^web +mail +L4 +- +(?!0\.0 )\d+\.\d /m, START_LIMIT)
  t.match(second.stdout, /^customer +web +L4 +- /m)
  t.match(second.stdout, /reviews-3 198\.18\.0\.6 +█\S* +\d+ % +\d+ connections$/m)
  await second.prints(/^web +reviews +L7 +(?!0\.0 )\d+\.\d .* [\d.]+ ms /m, START_LIMIT)
  t.match(second.stdout, /web's sidecar balances requests \(L7\), next connections/)
  t.match(second.stdout, /reviews-3 198\.18\.0\.6 +█\S* +\d+ % +\d+ requests$/m)
  t.ok(
    second.stdout.split('\n').every((line) => line.length <= 100 || / pods +customer /.test(line)),
    'readable at 100 columns',
  )
  process.kill(second.pid, 'SIGINT')
  t.same(await second.exited, { code: 0, signal: null }, 'a demo that was ended is no failure')
  t.match(second.stdout, /\nEnded: pods, rules and processes are gone\.\n$/)
  t.equal(second.stderr, '')
  t.same(carriers(token, 'environ'), [])
})

t.test('demo: the way in that it prints works', { skip }, async (t) => {
  const token = newToken()
  const child = start(t, token)
  await child.prints(/Ctrl-C ends it/, START_LIMIT)
  const command = /^ +(nsenter .*iptables-save.*)$/m.exec(child.stdout)?.[1] ?? 'false'
  const done = await new Child(['sh', '-c', command]).finish()
  t.equal(done.code, 0, done.stderr)
  t.match(done.stdout, /-j REDIRECT --to-ports 15001/)
  const put = /^ +(nsenter .*curl -sX PUT .*)$/m.exec(child.stdout)?.[1] ?? 'false'
  const switched = await new Child(['sh', '-c', put]).finish()
  t.match(switched, { code: 0, stdout: 'mode is l7\n' })
  await child.prints(/web's sidecar balances requests \(L7\), switched by hand/, START_LIMIT)
  process.kill(child.pid, 'SIGTERM')
  t.equal((await child.exited).code, 0)
})

t.test('demo: interrupting the tour is not a success', { skip }, async (t) => {
  const child = start(t, newToken(), '--once')
  await child.prints(/ pods /, START_LIMIT)
  process.kill(child.pid, 'SIGINT')
  t.equal((await child.exited).code, 130)
})

t.test('demo: wrong options are exit 2 with the help, --help is 0', async (t) => {
  for (const args of [['--twice'], ['--rate', 'many'], ['--rate=0'], ['now']]) {
    const done = await new Child(['node', DEMO, ...args]).finish()
    t.equal(done.code, 2, args.join(' '))
    t.match(done.stderr, args.at(-1)?.split('=')[0] ?? '', 'what is wrong')
    t.match(done.stderr, '--once', 'the help')
  }
  const help = await new Child(['node', DEMO, '--help']).finish()
  t.match(help, { code: 0, stderr: '', stdout: /--once/ })
})
