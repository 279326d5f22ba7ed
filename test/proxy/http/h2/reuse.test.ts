// Stream objects that carry another stream as soon as there is room for it: who waits for room takes it at once, while
// what has made it is still being told.

import t from 'tap'
import { H2Rig } from '../../../support/h2-rig.ts'
import {
  data,
  END_STREAM,
  headers,
  response,
  rstStream,
  windowUpdate,
} from '../../../support/h2-wire.ts'

const POST = 'POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 100000\r\n\r\n'

/** Asks once more as soon as there is room. */
class Waiting extends H2Rig {
  isWaitingForRoom = false

  override onRoom(): void {
    super.onRoom()
    if (!this.isWaitingForRoom) return
    this.isWaitingForRoom = false
    this.ask()
  }
}

/** A client whose only stream is answered and released, with a part of its request still to leave. */
function released(): Waiting {
  const rig = new Waiting({ role: 'client' })
  const stream = rig.ask(POST, false)
  stream.sendData(Buffer.alloc(100_000), 0, 100_000)
  stream.sendEnd()
  rig.feed(headers(1, response(200)))
  stream.release()
  rig.isWaitingForRoom = true
  rig.app.take()
  return rig
}

void t.test('h2 reuse: a reset of one that was released is not told to the next', async (t) => {
  const rig = released()
  rig.feed(rstStream(1, 0))
  t.equal(rig.isWaitingForRoom, false, 'it has begun')
  t.same(rig.app.take(), [])
  rig.feed(headers(3, response(200), 4), data(3, 'x', END_STREAM))
  t.same(rig.app.take(), ['3 head 200', '3 body "x"', '3 end'])
  t.equal(rig.connection.open, 0)
})

void t.test(
  'h2 reuse: what one that was released still sends is not told to the next',
  async (t) => {
    const rig = released()
    let writable = 0
    const { app } = rig
    const make = app.receiver.bind(app)
    app.receiver = () => ({ ...make(), onWritable: () => (writable += 1) })
    rig.feed(windowUpdate(1, 100_000), windowUpdate(0, 100_000))
    t.equal(rig.isWaitingForRoom, false, 'it has begun')
    t.equal(writable, 0)
    t.same(rig.app.take(), [])
  },
)
