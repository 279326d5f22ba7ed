// The log writes to standard output, so it is looked at from outside: a process that logs, and what came out of it.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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

/** Fills the buffer, says so, and ends as the proxy does. */
const ENDING = `import { flushLog, openLog } from ${JSON.stringify(MODULE)}
  const log = openLog('info')
  process.stdin.once('data', () => {
    for (let line = 0; line < 2000; line += 1) log.info({ filler: 'x'.repeat(500) })
    const start = performance.now()
    flushLog(log, () => {
      log.info('after the end')
      process.stderr.write('ends after ' + Math.round(performance.now() - start) + '\\n')
      process.exit(3)
    })
  })
  process.stderr.write('started\\n')`

t.test('log: a pipe that nobody reads does not keep the process from its end', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'underpass-log-'))
  const path = join(folder, 'pipe')
  t.equal(spawnSync('mkfifo', [path]).status, 0)
  const pipe = openSync(path, constants.O_RDWR)
  t.teardown(() => {
    closeSync(pipe)
    rmSync(folder, { recursive: true })
  })
  const child = spawn(process.execPath, ['--input-type=module', '-e', ENDING], {
    stdio: ['pipe', pipe, 'pipe'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const { stdin, stderr } = child
  if (stdin === null || stderr === null) throw new Error('no pipes')
  await once(stderr, 'data')
  stdin.write('!')
  const [said] = (await once(stderr, 'data')) as [Buffer]
  const took = Number(/^ends after (\d+)\n$/.exec(String(said))?.[1])
  t.ok(took >= 490 && took < 3000, String(said))
  t.same(await once(child, 'close'), [3, null])
})

t.test('log: a reader that went away does not keep the process from its end', async (t) => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', ENDING])
  t.teardown(() => child.kill('SIGKILL'))
  await once(child.stderr, 'data')
  child.stdout.destroy()
  await once(child.stdout, 'close')
  child.stdin.write('!')
  t.same(await once(child, 'exit'), [3, null])
})

t.test('log: a slow reader gets every line in order before the end', async (t) => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', ENDING])
  t.teardown(() => child.kill('SIGKILL'))
  child.stdin.write('!')
  let out = ''
  child.stdout.on('data', (chunk: Buffer) => {
    out += String(chunk)
    child.stdout.pause()
    setImmediate(() => child.stdout.resume())
  })
  t.same(await once(child, 'close'), [3, null])
  const lines = out.trimEnd().split('\n')
  t.equal(lines.length, 2001)
  t.match(JSON.parse(lines.at(-1) ?? ''), { message: 'after the end' })
})
