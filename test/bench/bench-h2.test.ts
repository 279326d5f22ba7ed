// The whole benchmark over HTTP/2, short: that it measures what is installed, and each with what it can speak.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ALONE, bench, hereAt, readReport } from './running.ts'

t.setTimeout(170_000)

t.test('bench: every scenario at HTTP/2 on every target that can speak so', async (t) => {
  const out = t.testdir({})
  const load = ['--mode', 'h2', '--rounds', '1', '--seconds', '0.2', '--connections', '4']
  const done = await bench([...load, '--out', out])
  t.equal(done.code, 0, done.stderr)
  const { sections, goals } = readReport(out, 'h2')
  const here = hereAt('h2')
  const rows = (names: readonly string[]): string[] => names.filter((name) => here.includes(name))
  const most = ['direct', 'underpass', 'haproxy']
  const expected = {
    h2: rows([...most, 'node:http2']),
    'h1-h2': rows(['underpass', 'haproxy']),
    'h2-h1': rows(['underpass', 'haproxy', 'nginx']),
    'grpc-unary': rows(most),
    'grpc-stream': rows(most),
    streams: rows(['underpass', 'haproxy', 'node:http2']),
    'stopped-stream': rows([...most, 'node:http2']),
  }
  t.same(
    Object.fromEntries(
      sections.map((section) => [section.name, section.rows.map(({ target }) => target)]),
    ),
    expected,
  )
  for (const { name, rows } of sections) {
    for (const { target, metrics } of rows.filter((row) => !ALONE.includes(row.target))) {
      const figure = (metrics['cpu'] ?? metrics['held'])?.median ?? 0
      t.ok(figure > 0, `${name} costs ${target} something`)
    }
  }
  t.match(readFileSync(join(out, 'h2.md'), 'utf8'), /without end, 4 streams$/m)
  t.equal(goals.find(({ text }) => text.endsWith('cut off'))?.measured, 0)
})
