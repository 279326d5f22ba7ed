// The tour's steps on what the mesh does with requests: refuses what is malformed, counts the rest, lets go of those
// that become something else, and keeps a client with an instance.

import { difference, flowsIn, type Part, until, watch } from './observe.ts'
import type { Held, Visited } from './shop/client.ts'
import type { Spoken } from './shop/web-socket.ts'
import { REVIEWS, type Shop } from './shop.ts'
import { describeNames, fetchMany } from './steps-traffic.ts'
import type { Step } from './tour.ts'

const WHO = 'http://reviews:9080/who'
const COOKIE = 'shop'
const FROM_WEB: Part = { pods: ['web'], direction: 'outbound', service: 'reviews.default:9080' }

/** What some proxies let through, and others read in another way: by it a request is smuggled past the first. */
const MALFORMED: readonly (readonly [reason: string, text: string])[] = [
  [
    'length-with-coding',
    'POST /who HTTP/1.1\r\nHost: reviews\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ],
  [
    'length-repeated',
    'POST /who HTTP/1.1\r\nHost: reviews\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd',
  ],
  ['host-repeated', 'GET /who HTTP/1.1\r\nHost: reviews\r\nHost: ratings\r\n\r\n'],
  ['space-before-colon', 'GET /who HTTP/1.1\r\nHost : reviews\r\n\r\n'],
  ['bare-lf', 'GET /who HTTP/1.1\nHost: reviews\n\n'],
]

export const refused: Step = {
  name: 'malformed requests are refused',
  async run(shop) {
    // One that is as it should be goes first: that the instances count shows that they would have seen the others.
    const before = await reached(shop)
    const [good] = await fetchMany(shop, 'web', WHO, 1)
    const between = await reached(shop)
    const counter = await watch(shop, { pods: ['web'], direction: 'outbound' })
    const texts = MALFORMED.map(([, text]) => text)
    const answers = (await shop.client('web', 'send', 'reviews', '9080', ...texts)) as string[]
    const { refused: counted } = await counter.settledOn(({ refused: now }) => now >= texts.length)
    const after = await reached(shop)
    const named = MALFORMED.map(([reason], at) => {
      const answer = answers[at] ?? ''
      const isNamed =
        /^HTTP\/1\.1 400 /.test(answer) &&
        new RegExp(`^Proxy-Status: underpass;.*request-refused: ${reason}"`, 'm').test(answer)
      return isNamed ? reason : `${reason} got ${JSON.stringify(answer.slice(0, 60))}`
    })
    const isNamed = MALFORMED.every(([reason], at) => named[at] === reason)
    const observed = `400 with Proxy-Status ${named.join(', ')}; ${counted} counted; the instances saw ${between - before} good and ${after - between} of these`
    const isOk = isNamed && counted === texts.length && good?.status === 200
    return { isOk: isOk && between - before === 1 && after === between, observed }
  },
}

/** What has reached the instances' applications in all, well-formed or not, as they say themselves. */
async function reached(shop: Shop): Promise<number> {
  const all = await Promise.all(REVIEWS.map(async (name) => await shop.reached(name)))
  return all.reduce((sum, { requests, malformed }) => sum + requests + malformed, 0)
}

export const counted: Step = {
  name: 'every request is counted',
  async run(shop) {
    const wanted = { 200: 25, 404: 5, 503: 3 } as const
    const paths = { 200: 'who', 404: 'nothing', 503: 'busy' } as const
    const into: Part = { pods: REVIEWS, direction: 'inbound' }
    const [before, intoBefore] = [await statuses(shop, FROM_WEB), await statuses(shop, into)]
    for (const status of [200, 404, 503] as const) {
      await fetchMany(shop, 'web', `http://reviews:9080/${paths[status]}`, wanted[status])
    }
    const expected = describe(new Map(Object.entries(wanted)))
    const look = async (part: Part, start: Map<string, number>): Promise<string> =>
      await until(
        async () => describe(difference(start, await statuses(shop, part))),
        (text) => text === expected,
        2000,
      )
    const sides = [await look(FROM_WEB, before), await look(into, intoBefore)]
    const isOk = sides.every((side) => side === expected)
    const observed = `sent ${expected}; web's sidecar counted ${sides[0] ?? ''}, those of reviews ${sides[1] ?? ''}`
    return { isOk, observed }
  },
}

async function statuses(shop: Shop, part: Part): Promise<Map<string, number>> {
  const all = new Map<string, number>()
  for (const flow of await flowsIn(shop, part)) {
    for (const [status, times] of flow.statuses) all.set(status, (all.get(status) ?? 0) + times)
  }
  return all
}

/** `25 x 200, 5 x 404`, by status. */
function describe(counts: ReadonlyMap<string, number>): string {
  const sorted = [...counts].sort(([one], [other]) => Number(one) - Number(other))
  return sorted.map(([status, times]) => `${times} x ${status}`).join(', ')
}

export const upgraded: Step = {
  name: 'a WebSocket passes through',
  async run(shop) {
    const messages = ['hello', 'how are you', 'bye']
    const switched = async (): Promise<number> => (await statuses(shop, FROM_WEB)).get('101') ?? 0
    const before = await switched()
    const spoken = (await shop.client(
      'web',
      'websocket',
      'http://reviews:9080/',
      ...messages,
    )) as Spoken
    const count = await until(switched, (now) => now > before, 2000)
    const [from = ''] = spoken.replies[0]?.split(' ') ?? []
    const isWhole = spoken.replies.join() === messages.map((each) => `${from} heard ${each}`).join()
    const observed = `status ${spoken.status}, ${spoken.isProved ? 'the handshake holds' : 'no handshake'}, ${spoken.replies.length} of ${messages.length} messages came back${from === '' ? '' : ` from ${from}`}${spoken.error === undefined ? '' : ` (${spoken.error})`}; ${count - before} counted with 101`
    const isOk = spoken.status === 101 && spoken.isProved && spoken.error === undefined
    return { isOk: isOk && isWhole && count === before + 1, observed }
  },
}

export const multiplexed: Step = {
  name: 'one HTTP/2 connection, spread by request',
  async run(shop) {
    const count = 60
    const service = 'reviews.default:9081'
    const [out, into] = await Promise.all([
      watch(shop, { pods: ['web'], direction: 'outbound', service }),
      watch(shop, { pods: REVIEWS, direction: 'inbound' }),
    ])
    const order = ['http2', 'http://reviews:9081/who', String(count)]
    const { names } = (await shop.client('web', ...order)) as Held
    const [sent, taken] = [await out.answered(count), await into.answered(count)]
    const least = Math.min(...REVIEWS.map((name) => names.filter((each) => each === name).length))
    const isCounted = sent.requests === count && taken.requests === count
    const observed = `${count} requests, ten at a time, ${describeNames(names)}; ${sent.requests} and ${taken.requests} counted; no port says what it speaks`
    return { isOk: isCounted && least >= count / 6 && names.every(isInstance), observed }
  },
}

export const kept: Step = {
  name: 'a client is kept by a cookie',
  async run(shop) {
    const [visitors, times] = [12, 5]
    const gives = async (): Promise<boolean> => {
      const [got] = await fetchMany(shop, 'web', WHO, 1)
      return got?.cookie?.startsWith(`${COOKIE}=`) === true
    }
    const order = ['visit', WHO, String(visitors), String(times)]
    const without = (await shop.client('web', ...order)) as readonly Visited[]
    shop.setCookie(COOKIE)
    const isGiven = await until(gives, (isSet) => isSet, 8000)
    const all = (await shop.client('web', ...order)) as readonly Visited[]
    shop.setCookie(undefined)
    const isTaken = !(await until(gives, (isSet) => !isSet, 8000))
    const faithful = all.filter(({ names, cookies }) => isOne(names) && cookies === 1).length
    const before = without.filter(({ names }) => isOne(names)).length
    const firsts = all.map(({ names }) => names[0] ?? '')
    const observed = `of ${visitors} clients with ${times} requests each, ${faithful} had one instance for all (${describeNames(firsts)}); without the policy ${before}`
    // Where the cookie leads is chance: all twelve to one instance would be one in 177147.
    const isSpread = new Set(firsts).size > 1 && answersOf(all).every(isInstance)
    const isOk = isGiven && isTaken && faithful === visitors && before === 0
    return { isOk: isOk && isSpread, observed }
  },
}

function isOne(names: readonly string[]): boolean {
  return new Set(names).size === 1
}

function answersOf(all: readonly Visited[]): string[] {
  return all.flatMap(({ names }) => names)
}

function isInstance(name: string): boolean {
  return REVIEWS.some((each) => each === name)
}
