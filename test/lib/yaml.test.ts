import t from 'tap'
import { Problems } from '../../src/lib/problems.ts'
import { readYaml, readYamlValue } from '../../src/lib/yaml.ts'

function read(text: string): { values: unknown[]; found: string } {
  const problems = new Problems()
  const values = [...readYaml(text, 'f.yaml', problems)].map(({ value }) => value)
  return { values, found: problems.toString() }
}

t.test('yaml: several documents, empty ones counted', async (t) => {
  const { values, found } = read('---\na: 1\n---\n# nothing\n---\n{"b": [1, "x"]}\n')
  t.same(values, [{ a: 1 }, undefined, { b: [1, 'x'] }])
  t.equal(found, '')
  t.same(read('').values, [undefined])
  t.same(read('# nothing\n').values, [undefined])
  t.match(read('%A\n').found, 'f.yaml#1')
})

t.test('yaml: what is refused, and where', async (t) => {
  const cases: [string, RegExp][] = [
    ['a: 1\n---\nb: 1\nc: d: e\n', /^f\.yaml#2 line 4, column 4: Nested mappings/],
    [
      'a: 1\nb: { a: 2,\n  a: 3 }\n',
      /^f\.yaml#1 line 3, column 3: the key is there twice, but found "a"$/,
    ],
    ['1: x\n"1": y\n', /line 2, column 1: the key is there twice/],
    ['a: !secret x\n', /^f\.yaml#1 line 1, column 4: Unresolved tag: !secret$/],
    ['a: *b\n', /^f\.yaml#1.*[Uu]nresolved alias/],
    ['a: [1\n', /^f\.yaml#1 line /],
    ['\ta: 1\n', /^f\.yaml#1 line 1/],
  ]
  for (const [text, expected] of cases) {
    const { values, found } = read(text)
    t.match(found, expected)
    t.equal(values.at(-1), undefined)
    t.ok(found.split('\n').length <= 3, 'one mistake is not told many times')
  }
})

t.test('yaml: what is nested too deeply ends neither the reading nor the process', async (t) => {
  const indented = Array.from({ length: 500 }, (_, level) => `${' '.repeat(level)}a:`).join('\n')
  const deep = ['[', '{', '{a: ', '- ', '? ', ': ', 'a: ', '[{', '&a [', '!!seq ['].map((part) =>
    part.repeat(1_000_000 / part.length),
  )
  for (const text of [...deep, indented]) {
    const { found } = read(text)
    t.match(found, /^f\.yaml line \d+, column \d+: is nested too deeply$/, text.slice(0, 10))
  }
  t.match(read(`a: 1\n---\n${deep[0]}`).found, /^f\.yaml line 3, column 1\d\d: is nested/)
})

t.test('yaml: what is too long is refused before it fills the memory', async (t) => {
  for (const part of [']', '&a ', '%A\n']) t.not(read(part.repeat(20_000)).found, '', part)
  t.match(read('- a\n'.repeat(200_000)).found, /^f\.yaml line \d+, column \d+: is too long for one/)
  const many = read('- 1\n---\n'.repeat(100_000))
  t.equal(many.found, '', 'many documents are no long document')
  t.equal(many.values.length, 100_001)
})

t.test('yaml: aliases that would fill the memory', async (t) => {
  let text = 'a0: &a0 [x, x, x, x, x, x, x, x, x]\n'
  for (let level = 1; level < 12; level += 1) {
    text += `a${level}: &a${level} [${`*a${level - 1}, `.repeat(9)}]\n`
  }
  t.match(read(text).found, /^f\.yaml#1: cannot be read: Excessive alias count/)
  t.same(read('a: &x [1]\nb: *x\n').values, [{ a: [1], b: [1] }])
})

t.test('yaml: a key named __proto__ is a key', async (t) => {
  const [value] = read('__proto__: { polluted: true }\n').values
  t.same(Object.keys(value as object), ['__proto__'])
  t.equal(({} as { polluted?: boolean }).polluted, undefined)
})

t.test('yaml: words that older readers take for booleans stay words', async (t) => {
  t.same(read('a: off\nb: yes\nc: 1_000\nd: 0o17\ne: 2026-01-01\n').values, [
    { a: 'off', b: 'yes', c: '1_000', d: 15, e: '2026-01-01' },
  ])
})

t.test('yaml: many keys cost no more than their number', async (t) => {
  const text = Array.from({ length: 50_000 }, (_, index) => `k${index}: 1`).join('\n')
  const begun = performance.now()
  t.equal(read(text).found, '')
  t.ok(performance.now() - begun < 20_000, 'not each key against each other')
})

t.test('yaml: a single value', async (t) => {
  const problems = new Problems()
  t.same(readYamlValue('[1, 2]', 'X', problems), [1, 2])
  t.equal(readYamlValue('', 'X', problems), undefined)
  t.equal(problems.any, false)
  readYamlValue('a: 1\n---\nb: 2', 'X', problems)
  t.equal(problems.toString(), 'X: must be one document, not 2')
})
