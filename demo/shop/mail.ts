// The shop's mail server: speaks first, as SMTP does. Whoever waits for the client's bytes never hears it.

import { createServer } from 'node:net'
import { NAME } from './service.ts'

createServer((socket) => {
  socket.setEncoding('utf8')
  socket.write(`220 ${NAME} ESMTP, you are ${socket.remoteAddress ?? ''}\r\n`)
  let unread = ''
  socket.on('data', (part: string) => {
    const lines = (unread + part).split('\r\n')
    unread = lines.pop() ?? ''
    for (const line of lines) {
      if (line === 'QUIT') socket.end(`221 ${NAME} closes\r\n`)
      else socket.write(`250 ${line}\r\n`)
    }
  })
  socket.on('error', () => socket.destroy())
}).listen(2525, '::', () => process.stdout.write('listening\n'))
