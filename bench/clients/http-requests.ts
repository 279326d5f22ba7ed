// The closed-loop client of small requests at L7.

import { QUESTIONS } from '../messages.ts'
import { client } from './client.ts'
import { Exchange } from './exchange.ts'
import { HttpTalk } from './http-talk.ts'
import { loop } from './loop.ts'

await client(loop((port, listener) => new Exchange(port, listener, new HttpTalk(QUESTIONS.small))))
