// The shop's front: a product page made from the reviews; `/order` also has the mail server confirm.

import { connect } from 'node:net'
import { getJson, seen, serveJson } from './service.ts'

serveJson(8080, async (request) => {
  const page = { ...seen(request), reviews: await getJson('http://reviews:9080/') }
  return request.url === '/order' ? { ...page, mail: await confirm() } : page
})

/** Waits for the server's greeting before it says a word, as SMTP demands. */
async function confirm(): Promise<string> {
  return await new Promise((resolve, reject) => {
    const socket = connect(2525, 'mail')
    let text = ''
    socket.setTimeout(5000, () => socket.destroy(new Error('mail did not answer')))
    socket.setEncoding('utf8')
    socket.on('data', (part: string) => {
      if (text === '') socket.write('HELO web\r\nQUIT\r\n')
      text += part
    })
    socket.on('error', reject)
    socket.on('end', () => {
      socket.end()
      if (/^220 .*^221 /ms.test(text)) resolve(text.split('\r\n')[0] ?? '')
      else reject(new Error(`mail hung up: ${JSON.stringify(text)}`))
    })
  })
}
