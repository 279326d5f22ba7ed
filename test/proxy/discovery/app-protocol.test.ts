import t from 'tap'
import { spokenOn } from '../../../src/proxy/discovery/app-protocol.ts'

t.test(
  'app protocol: which HTTP it is, what nobody looks into, and what is looked at',
  async (t) => {
    for (const word of ['http', 'HTTP', 'Http', 'kubernetes.io/ws'])
      t.same(spokenOn(word), { protocol: 'http', wire: 'http1' }, word)
    for (const word of ['http2', 'h2c', 'H2C', 'kubernetes.io/h2c', 'grpc', 'gRPC'])
      t.same(spokenOn(word), { protocol: 'http', wire: 'http2' }, word)
    const opaque = [
      ...['https', 'HTTPS', 'tls', 'tcp', 'grpcs', 'kubernetes.io/wss', 'redis', 'mysql'],
      ...['postgresql', 'postgres', 'mongo', 'mongodb', 'amqp', 'kafka', 'smtp', 'ssh'],
      ...['ftp', 'dns', 'linkerd.io/opaque', 'linkerd.io/tcp', 'opaque'],
    ]
    for (const word of opaque) t.same(spokenOn(word), { protocol: 'opaque', wire: undefined }, word)
    const unknown = ['', 'htp', 'http/1.1', 'kubernetes.io/http', 'example.com/mine', 'constructor']
    for (const word of unknown) t.same(spokenOn(word), { protocol: '', wire: undefined }, word)
  },
)
