// A WebSocket client that tests run in a pod, URL MESSAGES: sends texts and binary messages of growing size to an echo,
// checks each, ends in order, and prints how many came back as they were and the code of the end.

import { WebSocket } from 'ws'

const [url = '', messages = ''] = process.argv.slice(2)
const most = Number(messages)
const socket = new WebSocket(url, { handshakeTimeout: 5000 })
let same = 0
let expected: Buffer = Buffer.alloc(0)

function send(): void {
  if (same === most) {
    socket.close(4001, 'enough')
    return
  }
  // The last is larger than any buffer on the way.
  const size = same === most - 1 ? 5_000_000 : same * 997
  expected = Buffer.alloc(size, `message ${same} `)
  socket.send(expected, { binary: same % 2 === 0 })
}

socket.on('open', send)
socket.on('message', (data: Buffer, isBinary) => {
  if (data.equals(expected) && isBinary === (same % 2 === 0)) same += 1
  else socket.terminate()
  send()
})
socket.on('error', (error) => {
  process.stdout.write(`${error.message}\n`)
})
socket.on('close', (code) => {
  process.stdout.write(`${same} ${code}\n`)
  process.exit(0)
})
setTimeout(() => process.exit(1), 20_000).unref()
