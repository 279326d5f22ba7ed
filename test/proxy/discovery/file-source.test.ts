// Real files in a temporary folder, a real kernel watch, and a clock that the test turns: the test waits for the
// source to have heard of a change (a timer is set), then lets the settle time pass.

import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Resources } from '../../../src/api/resources.ts'
import type { Problems } from '../../../src/lib/problems.ts'
import { FileSource, MAX_SETTLE, POLL, SETTLE } from '../../../src/proxy/discovery/file-source.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { until } from '../../support/until.ts'

const service = (name: string): string =>
  `apiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { ports: [{ port: 80 }] }\n`

class Watched {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'underpass-files-'))
  readonly clock: FakeClock = new FakeClock()
  readonly states: string[][] = []
  readonly warnings: string[] = []
  readonly refusals: string[] = []
  #source: FileSource | undefined

  constructor(t: Test) {
    t.teardown(async () => {
      await this.#source?.close()
      rmSync(this.folder, { recursive: true, force: true })
    })
  }

  path(name: string): string {
    return join(this.folder, name)
  }

  write(name: string, text: string): void {
    writeFileSync(this.path(name), text)
  }

  async start(path = this.folder): Promise<Problems> {
    this.#source = new FileSource(path, this.clock, {
      changed: (resources: Resources, warnings: Problems) => {
        this.states.push(resources.services.map(({ name }) => name).sort())
        this.warnings.push(warnings.toString())
      },
      refused: (problems: Problems) => {
        this.refusals.push(problems.toString().replaceAll(this.folder, ''))
      },
    })
    return await this.#source.start()
  }

  async close(): Promise<void> {
    await this.#source?.close()
  }

  /** Waits until the source has heard of a change, and lets it settle until `told` says that it was taken in. */
  async settle(told: () => boolean): Promise<void> {
    await until('the new state', () => {
      if (this.clock.next !== undefined && this.clock.next <= SETTLE) this.clock.advance(SETTLE)
      return told()
    })
  }

  async state(count: number): Promise<string[] | undefined> {
    await this.settle(() => this.states.length >= count)
    return this.states[count - 1]
  }

  async refusal(count: number): Promise<string | undefined> {
    await this.settle(() => this.refusals.length >= count)
    return this.refusals[count - 1]
  }
}

t.test('file source: a folder is read at start, sorted, without what is no manifest', async (t) => {
  const files = new Watched(t)
  files.write('b.yml', service('b'))
  files.write('a.yaml', service('a'))
  files.write('c.json', '{"apiVersion":"v1","kind":"Service","metadata":{"name":"c"},"spec":{}}')
  files.write('.a.yaml.swp', 'no: yaml: at all')
  files.write('README.md', 'no: yaml: at all')
  files.write('a.yaml~', 'no: yaml: at all')
  mkdirSync(files.path('sub.yaml'))
  const problems = await files.start()
  t.equal(problems.toString(), '')
  t.same(files.states, [['a', 'b', 'c']])
})

t.test('file source: a single file', async (t) => {
  const files = new Watched(t)
  files.write('mesh.yaml', service('a'))
  files.write('other.yaml', 'no: yaml: at all')
  t.equal((await files.start(files.path('mesh.yaml'))).toString(), '')
  files.write('mesh.yaml', service('b'))
  t.same(await files.state(2), ['b'])
})

t.test('file source: what is wrong at start is given back, and nothing is watched', async (t) => {
  const files = new Watched(t)
  const show = (problems: Problems): string => problems.toString().replaceAll(files.folder, '')
  t.equal(show(await files.start(files.path('gone'))), '/gone: does not exist')
  t.equal(show(await files.start(files.path('gone/mesh.yaml'))), '/gone/mesh.yaml: does not exist')
  t.match(show(await files.start()), 'holds no manifest (*.yaml, *.yml, *.json)')
  files.write('empty.yaml', ' \n')
  files.write('bad.yaml', 'apiVersion: v1\nkind: Servise\n')
  symlinkSync('nowhere', files.path('link.yaml'))
  const found = show(await files.start())
  t.match(found, '/link.yaml: does not exist')
  t.match(found, '/empty.yaml: is empty')
  t.match(found, '/bad.yaml#1 kind: is not known')
  t.same([files.states, files.refusals], [[], []])
  t.equal(files.clock.timers, 0)
})

t.test('file source: not UTF-8, and too large', async (t) => {
  const files = new Watched(t)
  writeFileSync(files.path('latin.yaml'), Buffer.from([0x61, 0xe4, 0x0a]))
  files.write('large.yaml', '#'.repeat(4 * 1024 * 1024 + 1))
  const found = (await files.start()).toString()
  t.match(found, 'latin.yaml: is not UTF-8 text')
  t.match(found, 'large.yaml: is larger than 4194304 bytes')
})

t.test('file source: files come, change and go', async (t) => {
  const files = new Watched(t)
  files.write('a.yaml', service('a'))
  await files.start()
  files.write('b.yaml', service('b'))
  t.same(await files.state(2), ['a', 'b'])
  files.write('a.yaml', service('c'))
  t.same(await files.state(3), ['b', 'c'])
  unlinkSync(files.path('a.yaml'))
  t.same(await files.state(4), ['b'])
  t.same(files.refusals, [])
})

t.test('file source: an editor that writes beside and renames', async (t) => {
  const files = new Watched(t)
  files.write('a.yaml', service('a'))
  await files.start()
  renameSync(files.path('a.yaml'), files.path('a.yaml~'))
  files.write('.a.yaml.new', service('b'))
  renameSync(files.path('.a.yaml.new'), files.path('a.yaml'))
  t.same(await files.state(2), ['b'])
  t.same(files.refusals, [], 'the moment without the file was not seen')
})

t.test('file source: the link swap of a mounted ConfigMap', async (t) => {
  const files = new Watched(t)
  const version = (name: string, text: string): void => {
    mkdirSync(files.path(name))
    files.write(`${name}/mesh.yaml`, text)
    symlinkSync(name, files.path('..data_tmp'))
    renameSync(files.path('..data_tmp'), files.path('..data'))
  }
  version('..2026_1', service('a'))
  symlinkSync('..data/mesh.yaml', files.path('mesh.yaml'))
  await files.start()
  t.same(files.states, [['a']])
  version('..2026_2', service('b'))
  rmSync(files.path('..2026_1'), { recursive: true })
  t.same(await files.state(2), ['b'])
  t.same(files.refusals, [])
})

t.test(
  'file source: a bad file leaves the last good state, is told once, and can be mended',
  async (t) => {
    const files = new Watched(t)
    files.write('a.yaml', service('a'))
    files.write('b.yaml', service('b'))
    await files.start()
    files.write('b.yaml', service('b').replace('port: 80', 'prot: 80'))
    const told = (await files.refusal(1)) ?? ''
    t.match(told, '/b.yaml#1 spec.ports[0].prot: is not a known key')
    t.match(told, '/b.yaml#1 spec.ports[0].port: ')
    files.write('a.yaml', service('c'))
    files.write('d.yaml', service('c'))
    t.match(await files.refusal(2), '/d.yaml#1 metadata.name: Service default/c is in ')
    unlinkSync(files.path('d.yaml'))
    files.write('b.yaml', service('b'))
    t.same(await files.state(2), ['b', 'c'])
  },
)

t.test(
  'file source: the same good state again is told after a bad one, but not without',
  async (t) => {
    const files = new Watched(t)
    files.write('a.yaml', service('a'))
    await files.start()
    utimesSync(files.path('a.yaml'), 1, 1)
    files.write('a.yaml', service('a'))
    files.write('b.yaml', ': :')
    await files.refusal(1)
    t.equal(files.states.length, 1, 'a touch is no change')
    unlinkSync(files.path('b.yaml'))
    t.same(await files.state(2), ['a'])
  },
)

t.test('file source: a half-written file is waited for', async (t) => {
  const files = new Watched(t)
  files.write('a.yaml', service('a'))
  await files.start()
  const text = `${service('b')}---\n${service('c')}`
  files.write('a.yaml', '')
  let heard = await until('the truncation', () => files.clock.next === SETTLE)
  for (let at = 0; at < text.length; at += 40) {
    files.clock.advance(SETTLE - 1)
    appendFileSync(files.path('a.yaml'), text.slice(at, at + 40))
    heard = await until('the write', () => files.clock.next === SETTLE)
  }
  t.ok(heard)
  t.equal(files.states.length, 1)
  t.same(await files.state(2), ['b', 'c'])
  t.same(files.refusals, [])
})

t.test(
  'file source: a file that stays empty is refused, one with a comment is a state',
  async (t) => {
    const files = new Watched(t)
    files.write('a.yaml', service('a'))
    await files.start()
    files.write('a.yaml', '')
    t.match(await files.refusal(1), '/a.yaml: is empty')
    t.equal(files.states.length, 1)
    files.write('a.yaml', '# nothing yet\n')
    t.same(await files.state(2), [])
  },
)

t.test('file source: something that never stops changing is read all the same', async (t) => {
  const files = new Watched(t)
  files.write('a.yaml', service('a'))
  await files.start()
  files.write('a.yaml', service('b'))
  await until('the change', () => files.clock.next === SETTLE)
  // Each write puts the reading off by SETTLE again, so without a limit this would not end.
  for (let passed = 0; passed < MAX_SETTLE - SETTLE; passed += SETTLE / 2) {
    files.clock.advance(SETTLE / 2)
    files.write('noise.log', String(passed))
    await until('the noise', () => files.clock.next === SETTLE)
  }
  t.equal(files.states.length, 1)
  files.clock.advance(SETTLE / 2)
  files.write('noise.log', 'the last')
  files.clock.advance(SETTLE / 2)
  await until('the reading', () => files.states.length === 2)
  t.same(files.states[1], ['b'])
})

t.test('file source: a folder that is replaced at once', async (t) => {
  const files = new Watched(t)
  const folder = files.path('mesh')
  mkdirSync(folder)
  files.write('mesh/a.yaml', service('a'))
  await files.start(folder)
  rmSync(folder, { recursive: true })
  mkdirSync(folder)
  files.write('mesh/a.yaml', service('b'))
  t.same(await files.state(2), ['b'])
  files.write('mesh/a.yaml', service('c'))
  t.same(await files.state(3), ['c'], 'the new folder is watched')
  t.same(files.refusals, [])
})

t.test(
  'file source: a folder that vanishes leaves the last good state; a new one is found',
  async (t) => {
    const files = new Watched(t)
    const folder = files.path('mesh')
    mkdirSync(folder)
    files.write('mesh/a.yaml', service('a'))
    await files.start(folder)
    rmSync(folder, { recursive: true })
    t.match(await files.refusal(1), /\/mesh: (does not exist|holds no manifest)/)
    mkdirSync(folder)
    files.write('mesh/a.yaml', service('b'))
    await files.settle(() => {
      if (files.states.length < 2) files.clock.advance(POLL)
      return files.states.length >= 2
    })
    t.same(files.states[1], ['b'])
    files.write('mesh/a.yaml', service('c'))
    t.same(await files.state(3), ['c'], 'the new folder is watched')
  },
)

t.test('file source: a path that is a link to a folder, and the link moves', async (t) => {
  const files = new Watched(t)
  mkdirSync(files.path('one'))
  mkdirSync(files.path('two'))
  files.write('one/a.yaml', service('a'))
  files.write('two/a.yaml', service('b'))
  symlinkSync('one', files.path('mesh'))
  await files.start(files.path('mesh'))
  unlinkSync(files.path('mesh'))
  symlinkSync('two', files.path('mesh'))
  files.clock.advance(POLL)
  t.same(await files.state(2), ['b'], 'seen by the poll')
  files.write('two/a.yaml', service('c'))
  t.same(await files.state(3), ['c'], 'seen by the kernel')
})

t.test('file source: a file that vanishes leaves the last good state', async (t) => {
  const files = new Watched(t)
  files.write('mesh.yaml', service('a'))
  await files.start(files.path('mesh.yaml'))
  unlinkSync(files.path('mesh.yaml'))
  t.equal(await files.refusal(1), '/mesh.yaml: does not exist')
  files.write('mesh.yaml', service('b'))
  t.same(await files.state(2), ['b'])
})

t.test('file source: what looks odd is a warning', async (t) => {
  const files = new Watched(t)
  files.write(
    'a.yaml',
    'apiVersion: underpass.dev/v1alpha1\nkind: TrafficPolicy\nmetadata: { name: p }\n' +
      'spec: { targetRef: { kind: Service, name: gone } }\n',
  )
  t.equal((await files.start()).toString(), '')
  t.match(files.warnings[0], 'there is no Service default/gone')
})

t.test('file source: after close nothing is told and no timer is left', async (t) => {
  const files = new Watched(t)
  files.write('a.yaml', service('a'))
  await files.start()
  files.write('a.yaml', service('b'))
  await until('the change', () => files.clock.next === SETTLE)
  await files.close()
  t.equal(files.clock.timers, 0)
  files.clock.advance(POLL)
  t.equal(files.states.length, 1)
})

t.test('file source: close during a reading', async (t) => {
  const files = new Watched(t)
  files.write('a.yaml', service('a'))
  await files.start()
  files.write('a.yaml', service('b'))
  await until('the change', () => files.clock.next === SETTLE)
  files.clock.advance(SETTLE)
  await files.close()
  t.equal(files.states.length, 1)
  t.equal(files.clock.timers, 0)
})

t.test('file source: a listener that fails is a problem and no crash', async (t) => {
  const files = new Watched(t)
  files.write('a.yaml', service('a'))
  const clock = files.clock
  const told: string[] = []
  let count = 0
  const source = new FileSource(files.folder, clock, {
    changed: () => {
      count += 1
      if (count === 2) throw new Error('defect')
    },
    refused: (problems) => told.push(problems.toString()),
  })
  t.teardown(async () => {
    await source.close()
  })
  await source.start()
  files.write('a.yaml', service('b'))
  await files.settle(() => told.length > 0)
  t.match(told[0], 'could not be taken over: defect')
})
