import t from 'tap'
import { Problems } from '../../src/lib/problems.ts'
import {
  item,
  join,
  readBoolean,
  readChoice,
  readFields,
  readInteger,
  readList,
  readNumber,
  readPort,
  readRequiredFields,
  readString,
  readTexts,
} from '../../src/lib/shape.ts'

function noted(read: (problems: Problems) => unknown): string {
  const problems = new Problems()
  read(problems)
  return problems.toString()
}

t.test('shape: paths', async (t) => {
  t.equal(join('', 'a'), 'a')
  t.equal(join('a', 'b'), 'a.b')
  t.equal(join('shop.yaml#2 ', 'spec'), 'shop.yaml#2 spec')
  t.equal(join('labels', 'a.b/c'), 'labels["a.b/c"]')
  t.equal(join('labels', ''), 'labels[""]')
  t.equal(item('ports', 3), 'ports[3]')
})

t.test('shape: fields', async (t) => {
  const fields = readFields({ a: 1, b: null }, 'x', ['a', 'b'], new Problems())
  t.same([...fields], [['a', 1]], 'a key without a value counts as absent')
  t.equal(readFields(undefined, 'x', [], new Problems()).size, 0)
  t.equal(
    noted((p) => readFields({ c: null, a: 1 }, 'x', ['a'], p)),
    'x.c: is not a known key; known here: a',
  )
  t.equal(
    noted((p) => readFields([], 'x', ['a'], p)),
    'x: must be a mapping, but found []',
  )
  t.equal(
    noted((p) => readRequiredFields(null, 'x', ['a'], p)),
    'x: is required',
  )
  const own: unknown = JSON.parse('{"__proto__": {"a": 1}, "constructor": 1}')
  t.match(
    noted((p) => readFields(own, '', ['a'], p)),
    /^__proto__: is not a known key.*\nconstructor: is not/,
  )
})

t.test('shape: single values', async (t) => {
  const cases: [string, (p: Problems) => unknown][] = [
    ['x: is required', (p) => readString(undefined, 'x', p)],
    ['x: must be text that is not empty, but found ""', (p) => readString('', 'x', p)],
    ['x: must be text that is not empty, but found 1', (p) => readString(1, 'x', p, 'a')],
    [
      'x: must be a whole number from 1 to 3, but found 1.5',
      (p) => readInteger(1.5, 'x', p, { min: 1, max: 3 }),
    ],
    [
      'x: must be a whole number from 1 to 3, but found "2"',
      (p) => readInteger('2', 'x', p, { min: 1, max: 3, fallback: 1 }),
    ],
    ['x: must be a whole number from 1 to 65535, but found 0', (p) => readPort(0, 'x', p)],
    [
      'x: must be a number from 0 to 1, but found NaN',
      (p) => readNumber(Number.NaN, 'x', p, { min: 0, max: 1, fallback: 0 }),
    ],
    ['x: must be true or false, but found "yes"', (p) => readBoolean('yes', 'x', p, true)],
    ['x: must be one of a, b, but found "c"', (p) => readChoice('c', 'x', p, ['a', 'b'], 'a')],
    ['x: is required: one of a, b', (p) => readChoice(undefined, 'x', p, ['a', 'b'])],
    ['x: must be a list, but found {}', (p) => readList({}, 'x', p)],
    [
      'x["a b"]: must be text (numbers, true and false in quotes), but found 1',
      (p) => readTexts({ 'a b': 1 }, 'x', p),
    ],
  ]
  for (const [expected, read] of cases) t.equal(noted(read), expected)
})

t.test('shape: fallbacks', async (t) => {
  const problems = new Problems()
  t.equal(readString(undefined, 'x', problems, 'a'), 'a')
  t.equal(readInteger(undefined, 'x', problems, { min: 1, max: 3, fallback: 2 }), 2)
  t.equal(readNumber(undefined, 'x', problems, { min: 0, max: 1, fallback: 0.5 }), 0.5)
  t.equal(readNumber(0.25, 'x', problems, { min: 0, max: 1, fallback: 0.5 }), 0.25)
  t.equal(readBoolean(undefined, 'x', problems, true), true)
  t.equal(readChoice(undefined, 'x', problems, ['a', 'b'], 'b'), 'b')
  t.same(readList(null, 'x', problems), [])
  t.same([...readTexts({ a: 'b' }, 'x', problems)], [['a', 'b']])
  t.equal(problems.any, false)
})
