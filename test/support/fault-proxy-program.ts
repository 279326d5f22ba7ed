// A fault proxy (fault-proxy.ts) as a process of its own: LISTEN TARGET, both `ip:port`, IPv6 in brackets.
//
// The first line on standard output is `{"port":N}`. Each line on standard input is a fault as JSON, which is in force
// when a line `{"fault":"KIND"}` comes back; what is no fault is answered `{"error":"..."}` and changes nothing. It
// ends when its standard input does.

import { createInterface } from 'node:readline'
import { type Fault, FaultProxy, type Place } from './fault-proxy.ts'

/** The numbers that each kind needs. */
const NUMBERS: Readonly<Record<Fault['kind'], readonly string[]>> = {
  none: [],
  delay: ['ms'],
  stall: [],
  'black-hole': ['after'],
  reset: ['after'],
  cut: ['after'],
  drip: ['bytes', 'ms'],
}

function placeOf(text: string): Place {
  const [, host = '', port = ''] = /^\[?([^\]]*)\]?:(\d+)$/.exec(text) ?? []
  return { host, port: Number(port) }
}

function faultOf(line: string): Fault {
  const fault = JSON.parse(line) as Record<string, unknown>
  const numbers = NUMBERS[fault['kind'] as Fault['kind']] as readonly string[] | undefined
  if (numbers === undefined) throw new Error(`no fault: ${line}`)
  for (const name of numbers) {
    const value = fault[name]
    const least = name === 'bytes' ? 1 : 0
    if (!Number.isInteger(value) || Number(value) < least) throw new Error(`${name}: ${line}`)
  }
  return fault as unknown as Fault
}

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

const [address = '', target = ''] = process.argv.slice(2)
const proxy = await FaultProxy.listen(placeOf(address), placeOf(target))
say({ port: proxy.port })
createInterface({ input: process.stdin })
  .on('line', (line) => {
    try {
      proxy.fault = faultOf(line)
      say({ fault: proxy.fault.kind })
    } catch (error) {
      say({ error: String(error) })
    }
  })
  .on('close', () => process.exit(0))
