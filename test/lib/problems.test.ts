import t from 'tap'
import { Problems } from '../../src/lib/problems.ts'

t.test('problems: one line each, with the value found', async (t) => {
  const problems = new Problems()
  t.equal(problems.any, false)
  problems.add('a.b', 'must be text', 3)
  problems.add('', 'nothing to do')
  problems.add('a.c', 'is required')
  problems.add('a.d', 'must be a list', undefined)
  t.equal(
    problems.toString(),
    'a.b: must be text, but found 3\nnothing to do\na.c: is required\n' +
      'a.d: must be a list, but found nothing',
  )
  t.equal(problems.any, true)
})

t.test('problems: values are shown short, and whatever they are', async (t) => {
  const circle: unknown[] = []
  circle.push(circle)
  const ring: Record<string, unknown> = {}
  ring['self'] = ring
  const cases: [unknown, string][] = [
    ['x'.repeat(200), `"${'x'.repeat(76)}...`],
    [Number.POSITIVE_INFINITY, 'Infinity'],
    [Number.NaN, 'NaN'],
    [null, 'null'],
    [circle, 'a list that contains itself'],
    [ring, 'a mapping that contains itself'],
    ['\u001b[31mred\u202e', '"\\u001b[31mred\\u{202e}"'],
  ]
  for (const [value, shown] of cases) {
    const problems = new Problems()
    problems.add('x', 'bad', value)
    t.equal(problems.toString(), `x: bad, but found ${shown}`)
  }
})

t.test('problems: a path cannot move the cursor, and is cut', async (t) => {
  const problems = new Problems()
  problems.add('a\nb: forged', 'bad')
  problems.add('p'.repeat(1000), 'bad')
  t.equal(problems.list[0]?.path, 'a\\u{a}b: forged')
  t.equal(problems.list[1]?.path.length, 300)
})

t.test('problems: after a hundred they are only counted', async (t) => {
  const problems = new Problems()
  for (let index = 0; index < 250; index += 1) problems.add(`x[${index}]`, 'bad')
  t.equal(problems.list.length, 100)
  t.equal(problems.count, 250)
  t.match(problems.toString(), /\n\.\.\. and 150 more$/)
})
