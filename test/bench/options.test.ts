// The benchmark's command line.

import { CommanderError } from 'commander'
import t from 'tap'
import { parseOptions } from '../../bench/options.ts'

const ALL = ['small', 'small-raw', 'bulk', 'connections', 'idle', 'stopped']

t.test('options: without any, everything is measured five times', async (t) => {
  t.same(parseOptions([]), {
    rounds: 5,
    seconds: 5,
    scenarios: ALL,
    targets: undefined,
    connections: undefined,
    out: 'bench/results/l4.json',
    install: false,
    check: false,
  })
})

t.test(
  'options: lists come with commas or repeated, and keep the order of the catalog',
  async (t) => {
    const options = parseOptions([
      ...['--scenario', 'idle,small', '--scenario', 'bulk'],
      ...['--target', 'nginx,direct', '--rounds', '7', '--seconds', '0.5', '--connections', '9'],
      ...['--out', 'x.json', '--install', '--check'],
    ])
    t.same(options, {
      rounds: 7,
      seconds: 0.5,
      scenarios: ['small', 'bulk', 'idle'],
      targets: ['direct', 'nginx'],
      connections: 9,
      out: 'x.json',
      install: true,
      check: true,
    })
  },
)

const WRONG: readonly (readonly string[])[] = [
  ['--rounds', '0'],
  ['--rounds', '1.5'],
  ['--rounds', '1e9'],
  ['--seconds', 'soon'],
  ['--seconds', '61'],
  ['--connections', '10001'],
  ['--scenario', 'small,tiny'],
  ['--target', 'envoy'],
  ['--out'],
  ['--loud'],
  ['now'],
]

for (const words of WRONG) {
  t.test(`options: ${words.join(' ')} is refused`, async (t) => {
    t.capture(process.stderr, 'write', () => true)
    t.throws(() => parseOptions(words), CommanderError)
  })
}
