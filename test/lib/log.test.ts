// The log writes to standard output, so it is looked at from outside: a process that logs, and what came out of it.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
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

t.test('log: a reader that stands still stops nothing, and lost lines are counted', async (t) => {
  const program = `import { droppedLines, openLog } from ${JSON.stringify(MODULE)}
    const log = openLog('info')
    for (let line = 0; line < 20000; line += 1) log.info({ filler: 'x'.repeat(500) })
    setTimeout(() => {
      process.stderr.write('dropped ' + droppedLines() + '\\n')
    }, 50)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  // Nobody reads its standard output.
  const [said] = (await once(child.stderr, 'data')) as [Buffer]
  t.match(String(said), /^dropped [1-9]\d+\n$/)
})

t.test('log: a reader that goes away stops nothing', async (t) => {
  const program = `import { openLog } from ${JSON.stringify(MODULE)}
    const log = openLog('info')
    const chatter = setInterval(() => log.info({ filler: 'x'.repeat(50000) }), 1)
    process.stdin.once('data', () => {
      clearInterval(chatter)
      process.stderr.write('still here\\n', () => process.exit(0))
    })`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program])
  t.teardown(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  child.stdout.destroy()
  await once(child.stdout, 'close')
  child.stdin.write('?')
  const [said] = (await once(child.stderr, 'data')) as [Buffer]
  t.equal(String(said), 'still here\n')
})
