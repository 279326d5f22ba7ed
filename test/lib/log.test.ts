// The log writes to standard output, so it is looked at from outside: a process that logs, and what came out of it.

import { spawnSync } from 'node:child_process'
import t from 'tap'

const MODULE = new URL('../../src/lib/log.js', import.meta.url).href

function logged(level: string, statement: string): Record<string, unknown>[] {
  const program = `import { openLog } from ${JSON.stringify(MODULE)}
    const log = openLog('${level}', { pod: 'shop-1' })
    ${statement}`
  const done = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    timeout: 20_000,
  })
  const lines = done.stdout.split('\n').filter((line) => line !== '')
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
}

t.test('log: one JSON object a line, with level, time and the fields of all lines', async (t) => {
  const [line, ...more] = logged('info', "log.warn({ event: 'x', message: 'a\\nb' })")
  t.same(more, [])
  t.match(line, { level: 'warn', pod: 'shop-1', event: 'x', message: 'a\nb' })
  t.match(line?.['time'], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  t.same(Object.keys(line ?? {}).sort(), ['event', 'level', 'message', 'pod', 'time'])
})

t.test('log: what is below the level is not written', async (t) => {
  const all =
    "for (const level of ['debug', 'info', 'warn', 'error']) log[level]({ level2: level })"
  t.same(
    logged('warn', all).map(({ level }) => level),
    ['warn', 'error'],
  )
  t.same(logged('silent', all), [])
})

t.test('log: a line that precedes a crash is not lost', async (t) => {
  t.match(logged('info', "log.error({ event: 'last' }); process.exit(1)"), [{ event: 'last' }])
})
