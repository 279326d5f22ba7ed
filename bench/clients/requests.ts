// The closed-loop client of small requests at L4.

import { client } from './client.ts'
import { Exchange } from './exchange.ts'
import { FixedTalk } from './fixed-talk.ts'
import { loop } from './loop.ts'

await client(loop((port, listener) => new Exchange(port, listener, new FixedTalk())))
