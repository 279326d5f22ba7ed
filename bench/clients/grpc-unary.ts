// The client of small calls over gRPC.

import { SERVICE } from '../grpc.ts'
import { ANSWER_BODY } from '../protocol.ts'
import { client, type Figures } from './client.ts'
import { lanes } from './grpc-lanes.ts'

const { path, requestSerialize, responseDeserialize } = SERVICE.ask
const QUESTION = Buffer.from('what is it?')
const NOTHING: Figures = {}
const ANSWER = Buffer.from(ANSWER_BODY)

await client(
  lanes(async (channel) => {
    return await new Promise((resolve, reject) => {
      channel.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        QUESTION,
        (error, answer) => {
          if (error !== null) reject(error)
          else if (answer === undefined || !ANSWER.equals(answer)) reject(new Error('wrong bytes'))
          else resolve(NOTHING)
        },
      )
    })
  }),
)
