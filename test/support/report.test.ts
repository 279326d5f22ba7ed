// The report of a run: what failed is named with its reason, also where a file ended before it had said anything.

import t from 'tap'
import { readReport, writeReport } from './report.ts'

const RUN = `TAP version 14
# Subtest: build/test/proxy/one.test.js
    # Subtest: sums
        ok 1 - adds
        not ok 2 - subtracts
          ---
          diff: |
            --- expected
            +++ actual
            -2
            +1
          at:
            fileName: one.test.ts
            lineNumber: 4
          ...
        ok 3 - later # SKIP no network
        1..3
    not ok 1 - sums # time=4ms
    1..1
not ok 1 - build/test/proxy/one.test.js # time=1200.5ms
# Subtest: build/test/mesh/two.test.js
    ok 1 - starts
    1..1
ok 2 - build/test/mesh/two.test.js # time=64000ms
# Subtest: build/test/mesh/three.test.js
    # Subtest: hangs
not ok 3 - timeout! # time=180000ms
  ---
  signal: SIGALRM
  expired: build/test/mesh/three.test.js
  ...
1..3
`

t.test('report: figures, failures with their place and reason, slowest files', (t) => {
  const report = readReport(RUN)
  t.equal(report.passed, 2)
  t.same(
    report.failures.map(({ name }) => name),
    ['build/test/proxy/one.test.js > sums > subtracts', 'timeout!'],
  )
  t.match(report.failures[0]?.why, /diff: --- expected\n {2}\+\+\+ actual\n {2}-2\n {2}\+1\n/)
  t.match(report.failures[1]?.why, 'expired: build/test/mesh/three.test.js')
  t.same(report.slowest, [
    { file: 'mesh/two', seconds: 64 },
    { file: 'proxy/one', seconds: 1.2005 },
  ])
  t.end()
})

t.test('report: as text', (t) => {
  const text = writeReport(readReport(RUN))
  t.match(text, /^slowest: 64 s mesh\/two, 1 s proxy\/one\nFAILED build\/test\/proxy\/one/)
  t.match(text, /at: \{"fileName":"one\.test\.ts","lineNumber":4\}/)
  t.equal(writeReport(readReport('')), '')
  t.end()
})

t.test('report: a long reason is cut', (t) => {
  const diff = Array.from({ length: 100 }, (_, at) => `    line ${at} ${'x'.repeat(300)}`).join(
    '\n',
  )
  const text = `TAP version 14\nnot ok 1 - all\n  ---\n  diff: |\n${diff}\n  ...\n1..1\n`
  const lines = writeReport(readReport(text)).split('\n')
  t.ok(lines.length < 30)
  t.ok(lines.every((line) => line.length <= 202))
  t.match(lines.at(-2), '...')
  t.end()
})
