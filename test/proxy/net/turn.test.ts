import t from 'tap'
import { Turn } from '../../../src/proxy/net/turn.ts'

/** Writes its name when it is flushed, and does what it is told then. */
function named(name: string, seen: string[], then?: () => void): { flush(): void } {
  return {
    flush: () => {
      seen.push(name)
      then?.()
    },
  }
}

const turned = async (): Promise<void> => {
  await new Promise(setImmediate)
}

t.test('turn: all that was added is flushed after the sockets, in order, once', async (t) => {
  const turn = new Turn()
  const seen: string[] = []
  turn.add(named('first', seen))
  turn.add(named('second', seen))
  t.same(seen, [])
  await turned()
  t.same(seen, ['first', 'second'])
  await turned()
  t.same(seen, ['first', 'second'])
})

t.test('turn: what is added while it flushes belongs to the next one', async (t) => {
  const turn = new Turn()
  const seen: string[] = []
  const late = named('late', seen)
  const addLate = (): void => {
    turn.add(late)
  }
  turn.add(named('early', seen, addLate))
  turn.add(named('other', seen))
  await turned()
  t.same(seen, ['early', 'other'])
  await turned()
  t.same(seen, ['early', 'other', 'late'])
})
