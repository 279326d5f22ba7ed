import { readFileSync } from 'node:fs'
import t from 'tap'
import { start } from './command.ts'

const PACKAGE = new URL('../../../package.json', import.meta.url)

t.test('command: --version is the version of the package', async (t) => {
  const { version } = JSON.parse(readFileSync(PACKAGE, 'utf8')) as { version: string }
  const run = start(t, ['--version'])
  t.equal(await run.status(), 0)
  t.equal(run.out, `${version}\n`)
})

t.test('command: --help names the commands', async (t) => {
  const run = start(t, ['--help'])
  t.equal(await run.status(), 0)
  t.match(run.out, /\n {2}proxy [^\n]+\n/)
  t.match(run.out, /\n {2}init [^\n]+\n/)
})

t.test('command: a line that it does not understand is refused with status 2', async (t) => {
  for (const args of [['dance'], ['proxy', '--fast'], ['proxy', 'now'], ['proxy', '-c']]) {
    const run = start(t, args)
    t.equal(await run.status(), 2, args.join(' '))
    t.match(run.err, /^error: /, args.join(' '))
    t.equal(run.out, '')
  }
})
