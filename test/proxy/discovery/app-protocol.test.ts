import t from 'tap'
import { protocolOf } from '../../../src/proxy/discovery/app-protocol.ts'

t.test(
  'app protocol: what HTTP/1.1 is, what nobody looks into, and what is looked at',
  async (t) => {
    for (const word of ['http', 'HTTP', 'Http', 'kubernetes.io/ws'])
      t.equal(protocolOf(word), 'http', word)
    const opaque = [
      ...[
        'https',
        'HTTPS',
        'tls',
        'tcp',
        'grpc',
        'h2c',
        'http2',
        'kubernetes.io/h2c',
        'kubernetes.io/wss',
      ],
      ...[
        'redis',
        'mysql',
        'postgresql',
        'postgres',
        'mongo',
        'mongodb',
        'amqp',
        'kafka',
        'smtp',
        'ssh',
      ],
      ...['ftp', 'dns', 'linkerd.io/opaque', 'linkerd.io/tcp', 'opaque'],
    ]
    for (const word of opaque) t.equal(protocolOf(word), 'opaque', word)
    for (const word of [
      '',
      'htp',
      'http/1.1',
      'kubernetes.io/http',
      'example.com/mine',
      'constructor',
    ]) {
      t.equal(protocolOf(word), '', word)
    }
  },
)
