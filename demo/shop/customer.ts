// The shop's customers, outside of the mesh: pages at a steady rate, every fifth of them an order.
//
// A line on standard input (`rate N`, `pause`, `report`) is answered with a line of JSON; `pause` only once nothing
// is under way. The partner's server on 9080 is what lies outside of the mesh for those inside.

import { createInterface } from 'node:readline'
import { getJson, seen, serveJson } from './service.ts'

const counts = { started: 0, done: 0, failed: 0, open: 0, lastError: '' }
let timer: NodeJS.Timeout | undefined
let whenQuiet: (() => void) | undefined

serveJson(9080, (request) => ({ ...seen(request), partner: true }))

createInterface({ input: process.stdin }).on('line', (line) => {
  const [word, value] = line.split(' ')
  if (word === 'report') reply()
  else if (word === 'pause') pause(reply)
  else {
    pause()
    timer = setInterval(visit, 1000 / Number(value))
    reply()
  }
})

function reply(): void {
  process.stdout.write(`${JSON.stringify(counts)}\n`)
}

function pause(then?: () => void): void {
  clearInterval(timer)
  whenQuiet = then
  if (counts.open > 0) return
  whenQuiet = undefined
  then?.()
}

function visit(): void {
  const page = counts.started++ % 5 === 4 ? 'order' : ''
  counts.open++
  getJson(`http://web:8080/${page}`)
    .then(() => {
      counts.done++
    })
    .catch((error: unknown) => {
      counts.failed++
      counts.lastError = String(error)
    })
    .finally(() => {
      counts.open--
      if (counts.open > 0) return
      whenQuiet?.()
      whenQuiet = undefined
    })
}
