// A world must end with whoever made it, whatever happens to them, and take every process in it along. Real
// processes, real signals; what is left is looked for in /proc from outside of the world.

import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { Child } from '../../demo/pods/child.ts'
import { insideWorld } from '../../demo/pods/world.ts'
import { carriers, killAll, newToken, untilGone } from './leftovers.ts'

const skip = insideWorld() ? false : 'needs a world: npm test -- mesh/world'
const isRealRoot = /^\s*0\s+0\s+4294967295/.test(readFileSync('/proc/self/uid_map', 'utf8'))
const PROGRAM = 'build/test/mesh/world-program.js'

async function start(t: Test, command: readonly string[], token: string): Promise<Child> {
  const child = new Child(command)
  t.teardown(() => {
    killAll(token, 'cmdline')
  })
  await child.prints(/settled/)
  t.ok(
    carriers(token, 'cmdline').length >= 5,
    `a whole world runs: ${carriers(token, 'cmdline').length} processes`,
  )
  return child
}

function node(mode: string, token: string): string[] {
  return ['node', PROGRAM, mode, token]
}

function npm(mode: string, token: string): string[] {
  return ['npm', 'exec', '--offline', '-c', node(mode, token).join(' ')]
}

t.test('world: SIGKILL of its maker ends it', { skip }, async (t) => {
  const token = newToken()
  const child = await start(t, node('stay', token), token)
  process.kill(child.pid, 'SIGKILL')
  t.same(await untilGone(token, 'cmdline'), [])
})

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  t.test(`world: ${signal} lets it end by itself, with its exit code`, { skip }, async (t) => {
    const token = newToken()
    const child = await start(t, node('stay', token), token)
    process.kill(child.pid, signal)
    t.same(await child.exited, { code: 9, signal: null })
    t.match(child.stdout, /told to end/)
    t.same(carriers(token, 'cmdline'), [], 'nothing is left when its maker has ended')
  })
}

t.test('world: one that will not end is killed at the second signal', { skip }, async (t) => {
  const token = newToken()
  const child = await start(t, node('stubborn', token), token)
  process.kill(child.pid, 'SIGINT')
  await child.prints(/told to end/)
  process.kill(child.pid, 'SIGINT')
  t.same(await child.exited, { code: 1, signal: null })
  t.same(await untilGone(token, 'cmdline'), [])
})

for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
  t.test(`world: ${signal} of npm ends it`, { skip }, async (t) => {
    const token = newToken()
    const child = await start(t, npm('stay', token), token)
    process.kill(child.pid, signal)
    t.same(await untilGone(token, 'cmdline'), [])
    await child.exited
  })
}

t.test('world: Ctrl-C reaches its maker and npm, not what runs inside', { skip }, async (t) => {
  const token = newToken()
  const child = await start(t, ['setsid', ...npm('stay', token)], token)
  process.kill(-child.pid, 'SIGINT')
  t.same(await untilGone(token, 'cmdline'), [])
  t.match(child.stdout, /told to end/, 'it was told and ended by itself')
  await child.exited
})

t.test('world: exit codes pass through', { skip }, async (t) => {
  for (const code of [0, 1, 2, 77]) {
    t.equal((await new Child(node(`exit${code}`, newToken())).finish()).code, code)
  }
})

t.test('world: one inside another, with the same names in both', { skip }, async (t) => {
  const token = newToken()
  const done = await new Child(node('nest', token)).finish()
  t.equal(done.code, 5, done.stderr)
  t.same(carriers(token, 'cmdline'), [])
})

t.test('world: below a closed folder the users of the pods can read it', { skip }, async (t) => {
  const token = newToken()
  const closed = t.testdir({ closed: { project: {} } })
  const project = `${closed}/closed/project`
  chmodSync(`${closed}/closed`, 0o700)
  // The clone and Node.js as they are in a home of root: reachable by their owner alone.
  const script = `mount --rbind . ${project} && cd ${project} && exec ${node('stay', token).join(' ')}`
  const child = await start(t, ['unshare', '--mount', 'sh', '-c', script], token)
  t.match(child.stdout, `settled in ${project}, where its users read package.json`)
  await child.stop()
})

const unprivileged = skip === false && !isRealRoot ? 'needs real root' : skip
t.test('world: an ordinary user has one too', { skip: unprivileged }, async (t) => {
  const token = newToken()
  const folder = t.testdir({ subid: 'ordinary:200000:65536\n' })
  const users = `${readFileSync('/etc/passwd', 'utf8')}ordinary:x:4242:4242::/tmp:/bin/sh\n`
  writeFileSync(`${folder}/passwd`, users)
  const script = `mount --bind ${folder}/passwd /etc/passwd
    for file in /etc/subuid /etc/subgid; do mount --bind ${folder}/subid $file; done
    exec setpriv --reuid 4242 --regid 4242 --clear-groups -- ${node('stay', token).join(' ')}`
  const child = await start(t, ['unshare', '--mount', 'sh', '-c', script], token)
  t.match(readFileSync(`/proc/${child.pid}/status`, 'utf8'), /^Uid:\s4242\s/m)
  process.kill(child.pid, 'SIGKILL')
  t.same(await untilGone(token, 'cmdline'), [])
})
