// The bulk client at L7: half of the connections download blocks of 1 MiB and half upload them, one after another.

import { QUESTIONS } from '../messages.ts'
import { PATTERN } from '../protocol.ts'
import { client } from './client.ts'
import { Exchange } from './exchange.ts'
import { HttpTalk } from './http-talk.ts'
import { loop } from './loop.ts'

const work = loop((port, listener, index) => {
  const question = index % 2 === 0 ? QUESTIONS.download : QUESTIONS.upload
  return new Exchange(port, listener, new HttpTalk(question))
})

await client(async (orders, mark) => {
  const { count = Number.NaN, ...figures } = await work(orders, mark)
  return { ...figures, bytes: count * PATTERN.length }
})
