// The programs of the pods that test/mesh/init*.test.ts look at, one by its first argument.
//
// `proxy` stands where a proxy stands and answers each connection with its original destination; `app PORT...`
// answers as the application on that port; `dial TARGET...` prints what each target answered, one line each. The
// targets are `ip:port`, an IPv6 address in brackets, with a zone if it needs one.

import { connect, createServer, type Socket } from 'node:net'
import { familyOf, formatAddress, parseIp } from '../../src/lib/address.ts'
import { originalDestination } from '../../src/lib/socket-option.ts'

const [role = '', ...words] = process.argv.slice(2)

if (role === 'proxy') answerProxied(words.length > 0 ? words.map(Number) : [15001, 15006])
else if (role === 'app') {
  answer(words.map(Number), (socket) => `app ${socket.localPort}`)
} else for (const line of await Promise.all(words.map(dial))) process.stdout.write(`${line}\n`)

function answerProxied(ports: readonly number[]): void {
  answer(ports, (socket) => {
    const fd = (socket as Socket & { _handle?: { fd?: number } })._handle?.fd ?? -1
    const peer = parseIp(socket.remoteAddress ?? '') ?? ''
    const { ip, port } = originalDestination(fd, familyOf(peer))
    return `${socket.localPort} for ${formatAddress(ip, port)}`
  })
}

/** Listens for both families on one socket each, prints `up` when all do. */
function answer(ports: readonly number[], say: (socket: Socket) => string): void {
  let missing = ports.length
  for (const port of ports) {
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.end(say(socket))
    })
    server.listen(port, '::', () => {
      if (--missing === 0) process.stdout.write('up\n')
    })
  }
}

async function dial(target: string): Promise<string> {
  const [, ip = '', port = ''] = /^\[?([^\]]+?)\]?:(\d+)$/.exec(target) ?? []
  return await new Promise((resolve) => {
    let said = ''
    const socket = connect({ host: ip, port: Number(port), timeout: 2000 })
    socket.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    socket.once('timeout', () => socket.destroy(new Error('timeout')))
    socket.once('error', (error) => {
      resolve('code' in error ? String(error.code) : error.message)
    })
    socket.once('end', () => {
      resolve(said)
    })
  })
}
