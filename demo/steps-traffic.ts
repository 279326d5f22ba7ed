// The tour's steps on what a connection meets: captured on both sides, balanced, to itself, over IPv6, a server that
// speaks first, and what lies outside of the mesh.

import { inMode, type Part, watch } from './observe.ts'
import type { Got, Greeted, Held } from './shop/client.ts'
import { ADDRESSES, REVIEWS, type Shop } from './shop.ts'
import type { Step, Verdict } from './tour.ts'

const WHO = 'http://reviews:9080/who'
const FROM_WEB: Part = { pods: ['web'], direction: 'outbound', service: 'reviews.default:9080' }
const INTO_REVIEWS: Part = { pods: REVIEWS, direction: 'inbound' }

export const captured: Step = {
  name: 'captured in both directions',
  async run(shop) {
    const count = 40
    const l4 = await inMode(shop, 'l4', ['web', ...REVIEWS], async () => {
      const [out, into] = await Promise.all([watch(shop, FROM_WEB), watch(shop, INTO_REVIEWS)])
      const got = await fetchMany(shop, 'web', WHO, count)
      const [sent, taken] = [await out.settled(), await into.settled()]
      const [written, read] = [total(got, 'written'), total(got, 'read')]
      const bytes = sent.received === written && sent.sent === read
      const observed = `L4: ${answered(got)} of ${count} connections answered, ${sent.opened} counted by web's sidecar, ${taken.opened} by those of reviews, ${written} and ${read} bytes${bytes ? ' on both sides' : `, but the sidecar counted ${sent.received} and ${sent.sent}`}`
      const isOk = [answered(got), sent.opened, taken.opened].every((each) => each === count)
      return { isOk: isOk && bytes, observed }
    })
    const [out, into] = await Promise.all([watch(shop, FROM_WEB), watch(shop, INTO_REVIEWS)])
    const got = await fetchMany(shop, 'web', WHO, count)
    const [sent, taken] = [await out.answered(count), await into.answered(count)]
    const observed = `L7: ${answered(got)} of ${count} requests answered, ${sent.requests} and ${taken.requests} counted`
    const isOk = [answered(got), sent.requests, taken.requests].every((each) => each === count)
    return { isOk: isOk && l4.isOk, observed: `${l4.observed}; ${observed}` }
  },
}

export const peer: Step = {
  name: "the application's peer is its sidecar",
  async run(shop) {
    const l7 = await fetchMany(shop, 'web', WHO, 6)
    const l4 = await inMode(shop, 'l4', ['web', ...REVIEWS], async () => {
      return await fetchMany(shop, 'web', WHO, 6)
    })
    const got = [...l4, ...l7]
    const pairs = got.map(({ body }) => [body?.from ?? '', plain(body?.peer ?? '')] as const)
    const isOwn = pairs.every(([name, ip]) => ip === own(shop, name) || ip.startsWith('127.'))
    const seen = [...new Set(pairs.map(([name, ip]) => `${name} sees ${ip}`))].sort()
    const observed = `${seen.join(', ')}; web itself is ${shop.pod('web').ip}`
    return { isOk: isOwn && answered(got) === 12, observed }
  },
}

export const balanced: Step = {
  name: 'balanced over three instances',
  async run(shop) {
    const count = 60
    const l4 = await inMode(shop, 'l4', ['web'], async () => {
      return await fetchMany(shop, 'web', WHO, count)
    })
    const held = shop.converse('web', 'hold', WHO, '1')
    await held.next()
    const l7 = (await held.ask(String(count))) as Held
    await held.child.stop()
    const shares = [l4.map(({ body }) => body?.from ?? ''), l7.names].map((names) =>
      REVIEWS.map((name) => names.filter((each) => each === name).length),
    )
    const isOk = shares.flat().every((share) => share >= count / 6) && l7.connections === 1
    const observed = `L4: ${count} connections, ${describeShares(l4)}; L7: ${count} requests on one connection, ${describeNames(l7.names)}`
    return { isOk: isOk && answered(l4) === count, observed }
  },
}

export const selfCalls: Step = {
  name: 'calls to itself',
  async run(shop) {
    const { ip } = shop.pod('mail')
    const { ip6 } = shop.pod('ratings')
    const results = await Promise.all([
      ...[ip, ADDRESSES.mail, '127.0.0.1'].map(async (host) => {
        const { text } = await greet(shop, 'mail', host)
        return { host, isOk: text.startsWith('220 mail ') }
      }),
      ...[ip6, ADDRESSES.ratings, '::1'].map(async (host) => {
        const [got] = await fetchMany(shop, 'ratings', `http://[${host}]:9080/`, 1)
        return { host, isOk: got?.body?.from === 'ratings' }
      }),
    ])
    const observed = results.map(({ host, isOk }) => (isOk ? host : `${host} FAILED`)).join(', ')
    return {
      isOk: results.every(({ isOk }) => isOk),
      observed: `own pod address, own Service, loopback: ${observed}`,
    }
  },
}

export const ipv6: Step = {
  name: 'IPv6',
  async run(shop) {
    const count = 20
    const endpoint = `[${shop.pod('ratings').ip6}]:`
    const part: Part = { pods: ['reviews-1'], direction: 'outbound', endpoint }
    const [out, into] = await Promise.all([
      watch(shop, part),
      watch(shop, { pods: ['ratings'], direction: 'inbound' }),
    ])
    const got = await fetchMany(shop, 'reviews-1', 'http://ratings:9080/', count)
    const [sent, taken] = [await out.answered(count), await into.answered(count)]
    const isOk = [answered(got), sent.requests, taken.requests].every((each) => each === count)
    const observed = `${answered(got)} of ${count} requests from reviews to [${ADDRESSES.ratings}]:9080; ${sent.requests} counted on the way out, ${taken.requests} on the way in, to ${endpoint}9080`
    return { isOk, observed }
  },
}

export const serverFirst: Step = {
  name: 'the server speaks first',
  async run(shop) {
    const part: Part = { pods: ['web'], direction: 'outbound', service: 'mail.default:2525' }
    const out = await watch(shop, part)
    const { text, took, error } = await greet(shop, 'web', 'mail')
    const sent = await out.settled()
    const lines = text.trimEnd().split('\r\n')
    const isWhole = lines.length === 3 && /^220 /.test(text) && /^221 /m.test(text)
    const observed = `${JSON.stringify(lines[0] ?? '')} after ${took.toFixed(1)} ms, before the client said a word; ${lines.length} lines, ${sent.opened} connection through the sidecar${error === undefined ? '' : `, then ${error}`}`
    return { isOk: isWhole && took < 500 && sent.opened === 1 && error === undefined, observed }
  },
}

export const egress: Step = {
  name: 'outside of the mesh',
  async run(shop): Promise<Verdict> {
    const url = `http://${shop.pod('customer').ip}:9080/`
    const outside: Part = { pods: ['web'], direction: 'outbound', service: 'egress' }
    const out = await watch(shop, outside)
    const refusals = await watch(shop, { pods: ['ratings'], direction: 'outbound' })
    const [allowed] = await fetchMany(shop, 'web', url, 1)
    const [denied] = await fetchMany(shop, 'ratings', url, 1)
    const [sent, refused] = [await out.answered(1), await refusals.settled()]
    const isAllowed = allowed?.body?.from === 'customer' && sent.requests === 1
    const isDenied = denied?.error !== undefined && refused.errors === 1
    const observed = `web may (${allowed?.body === undefined ? (allowed?.error ?? '') : 'answered'}), ratings with "egress: deny" may not (${denied?.error ?? 'answered'}; ${refused.errors} refusal counted)`
    return { isOk: isAllowed && isDenied, observed }
  },
}

export async function fetchMany(
  shop: Shop,
  podName: string,
  url: string,
  count: number,
): Promise<readonly Got[]> {
  return (await shop.client(podName, 'get', url, String(count))) as readonly Got[]
}

/** `20 reviews-1, 20 reviews-2, ...`, and what was not answered. */
export function describeShares(got: readonly Got[]): string {
  return describeNames(got.map(({ body, error }) => body?.from ?? error ?? ''))
}

/** The same of names, and of whatever else is among them. */
export function describeNames(names: readonly string[]): string {
  const known: readonly string[] = REVIEWS
  const shares = known.map((name) => `${names.filter((each) => each === name).length} ${name}`)
  return [...shares, ...new Set(names.filter((name) => !known.includes(name)))].join(', ')
}

export function answered(got: readonly Got[]): number {
  return got.filter(({ body }) => body !== undefined).length
}

async function greet(shop: Shop, podName: string, host: string): Promise<Greeted> {
  return (await shop.client(podName, 'greet', host, '2525')) as Greeted
}

function total(got: readonly Got[], key: 'read' | 'written'): number {
  return got.reduce((all, each) => all + each[key], 0)
}

function own(shop: Shop, name: string): string {
  return name === '' ? '' : shop.pod(name).ip
}

/** A v4-mapped address as the IPv4 address that it is. */
function plain(ip: string): string {
  return ip.replace(/^::ffff:/, '')
}
