// The table of deadlines: what it holds, for how long, and that it never holds more than it may.

import t from 'tap'
import { HalfSipHash } from '../../../src/lib/half-sip-hash.ts'
import { seededRandom } from '../../../src/lib/random.ts'
import { TraceTable } from '../../../src/proxy/resilience/trace-table.ts'
import { NO_LIMIT } from '../../../src/proxy/stack/route.ts'

const table = (capacity: number): TraceTable => new TraceTable(capacity, new HalfSipHash(1, 2))
const id = (value: number): Int32Array => Int32Array.from([7, 0, -1, value])

t.test('trace table: a deadline is there until it is over or let go of', async (t) => {
  const f = table(8)
  const handle = f.hold(id(1), 0, 100, 0)
  t.same([f.size, f.find(id(1), 0, 99.5), f.find(id(2), 0, 0)], [1, 100, NO_LIMIT])
  f.release(handle)
  t.same([f.size, f.find(id(1), 0, 0)], [0, NO_LIMIT])
  const over = f.hold(id(1), 0, 100, 0)
  t.equal(f.find(id(1), 0, 101), 100, 'it is over, and that is known')
  f.release(over)
  t.equal(f.size, 0)
  f.release(over)
  t.equal(f.size, 0, 'whoever comes late takes nothing away')
})

t.test('trace table: what was cut is known to be over for half a minute', async (t) => {
  const f = table(8)
  const [one, other] = [f.hold(id(1), 0, 100, 0), f.hold(id(1), 0, 900, 0)]
  f.cut(one, 100)
  t.equal(f.find(id(1), 0, 150), 900, 'there is another one')
  f.cut(other, 200)
  t.equal(f.find(id(1), 0, 250), 200, 'its client had gone')
  t.equal(f.find(id(1), 0, 30_199), 200)
  t.same([f.find(id(1), 0, 30_200), f.size], [NO_LIMIT, 0])
  f.cut(f.hold(id(1), 0, 40_000, 30_200), 40_000)
  const again = f.hold(id(1), 0, 50_000, 40_001)
  t.equal(f.find(id(1), 0, 40_001), 50_000, 'it has time again')
  f.release(again)
  t.equal(f.find(id(1), 0, 40_002), NO_LIMIT)
  f.cut(f.hold(id(2), 0, 41_000, 40_002), 41_000)
  f.revive(id(2), 0)
  t.same([f.find(id(2), 0, 41_001), f.size], [NO_LIMIT, 0], 'it goes on without a deadline')
  const held = f.hold(id(3), 0, 50_000, 41_001)
  f.revive(id(3), 0)
  t.equal(f.find(id(3), 0, 41_002), 50_000, 'what is held stays')
  f.release(held)
  for (let value = 10; value < 18; value += 1) f.cut(f.hold(id(value), 0, 42_000, 41_500), 42_000)
  for (let turn = 0; turn < 8; turn += 1) f.find(id(99), 0, 90_000)
  t.equal(f.size, 0, 'nobody asks for them, and they go')
})

t.test('trace table: every bit of an id counts', async (t) => {
  const f = table(200)
  const ids = [new Int32Array(4)]
  for (let bit = 0; bit < 128; bit++) {
    const words = new Int32Array(4)
    words[bit >> 5] = 1 << (bit & 31)
    ids.push(words)
  }
  for (const [at, words] of ids.entries()) f.hold(words, 0, at + 1, 0)
  t.same(
    ids.map((words) => f.find(words, 0, 0)),
    ids.map((_, at) => at + 1),
  )
})

t.test(
  'trace table: of several at the same time the latest holds until the last ends',
  async (t) => {
    const f = table(8)
    const [early, late] = [f.hold(id(1), 0, 100, 0), f.hold(id(1), 0, 300, 0)]
    const middle = f.hold(id(1), 0, 200, 0)
    t.same([f.size, f.find(id(1), 0, 0)], [1, 300])
    f.release(late)
    t.equal(f.find(id(1), 0, 0), 300)
    f.release(early)
    t.equal(f.find(id(1), 0, 0), 300)
    f.release(middle)
    t.equal(f.size, 0)
  },
)

t.test('trace table: full, the one unused for longest goes', async (t) => {
  const f = table(3)
  const first = f.hold(id(1), 0, 100, 0)
  f.hold(id(2), 0, 100, 0)
  f.hold(id(3), 0, 100, 0)
  f.find(id(1), 0, 0)
  f.hold(id(2), 0, 50, 0)
  f.hold(id(4), 0, 100, 0)
  t.equal(f.size, 3)
  t.same(
    [1, 2, 3, 4].map((value) => f.find(id(value), 0, 0)),
    [100, 100, NO_LIMIT, 100],
    '1 was read and 2 written since',
  )
  f.hold(id(5), 0, 100, 0)
  t.equal(f.find(id(1), 0, 0), NO_LIMIT)
  f.release(first)
  t.equal(f.size, 3, 'it had been thrown out, and its index given to another')
  t.equal(f.find(id(5), 0, 0), 100)
})

t.test('trace table: no more entries than it can have indexes', async (t) => {
  const f = table(100_000)
  for (let value = 0; value < 40_000; value++) f.hold(id(value), 0, 1, 0)
  t.equal(f.size, 32_767)
})

interface Model {
  deadline: number
  holders: number
}

/** A table of objects that does the same, slowly; in the order of use. */
class Reference {
  readonly entries = new Map<number, Model>()

  readonly capacity: number

  constructor(capacity: number) {
    this.capacity = capacity
  }

  hold(value: number, deadline: number, now: number): Model {
    this.#dropOldest(now)
    const known = this.entries.get(value)
    const entry = known ?? { deadline, holders: 0 }
    if (known === undefined && this.entries.size === this.capacity) {
      for (const oldest of this.entries.keys()) {
        this.entries.delete(oldest)
        break
      }
    }
    entry.deadline = Math.max(entry.deadline, deadline)
    entry.holders += 1
    this.#use(value, entry)
    return entry
  }

  release(value: number, entry: Model): void {
    if (this.entries.get(value) !== entry) return
    entry.holders -= 1
    if (entry.holders === 0) this.entries.delete(value)
  }

  cut(value: number, entry: Model, now: number): void {
    if (this.entries.get(value) !== entry) return
    entry.holders -= 1
    if (entry.holders === 0) entry.deadline = Math.min(entry.deadline, now)
  }

  find(value: number, now: number): number {
    this.#dropOldest(now)
    const entry = this.entries.get(value)
    if (entry === undefined) return NO_LIMIT
    if (isDone(entry, now)) {
      this.entries.delete(value)
      return NO_LIMIT
    }
    this.#use(value, entry)
    return entry.deadline
  }

  #dropOldest(now: number): void {
    for (const [value, entry] of this.entries) {
      if (isDone(entry, now)) this.entries.delete(value)
      return
    }
  }

  #use(value: number, entry: Model): void {
    this.entries.delete(value)
    this.entries.set(value, entry)
  }
}

function isDone({ holders, deadline }: Model, now: number): boolean {
  return holders === 0 && deadline + 30_000 <= now
}

t.test('trace table: as a table of objects would have it', async (t) => {
  const seed = 20_261_123
  t.comment(`seed ${seed}`)
  const random = seededRandom(seed)
  const any = (most: number): number => Math.floor(random() * most)
  const f = table(16)
  const reference = new Reference(16)
  const held: { value: number; handle: number; entry: Model }[] = []
  let wrong = 0
  for (let turn = 0, now = 0; turn < 60_000; turn++, now += any(20)) {
    const value = any(40)
    const what = any(3)
    if (what === 0 && held.length < 60) {
      const deadline = now + any(200)
      const handle = f.hold(id(value), 0, deadline, now)
      held.push({ value, handle, entry: reference.hold(value, deadline, now) })
    } else if (what === 1 && held.length > 0) {
      const [gone] = held.splice(any(held.length), 1)
      if (gone === undefined) continue
      if (any(4) === 0) {
        f.cut(gone.handle, now)
        reference.cut(gone.value, gone.entry, now)
        continue
      }
      f.release(gone.handle)
      reference.release(gone.value, gone.entry)
    } else if (f.find(id(value), 0, now) !== reference.find(value, now)) wrong += 1
    if (f.size !== reference.entries.size) wrong += 1
  }
  t.equal(wrong, 0)
  for (const { handle } of held) f.release(handle)
  for (let value = 0; value < 40; value += 1) f.revive(id(value), 0)
  t.equal(f.size, 0, 'nothing is left behind')
})
