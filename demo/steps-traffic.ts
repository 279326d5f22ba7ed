// The tour's steps on what a connection meets: captured on both sides, balanced, to itself, over IPv6, a server that
// speaks first, and what lies outside of the mesh.

import { type Part, watch } from './observe.ts'
import type { Got, Greeted } from './shop/client.ts'
import { ADDRESSES, REVIEWS, type Shop } from './shop.ts'
import type { Step, Verdict } from './tour.ts'

const WHO = 'http://reviews:9080/who'
const FROM_WEB: Part = { pods: ['web'], direction: 'outbound', service: 'reviews.default:9080' }

export const captured: Step = {
  name: 'captured in both directions',
  async run(shop) {
    const count = 40
    const [out, into] = await Promise.all([
      watch(shop, FROM_WEB),
      watch(shop, { pods: REVIEWS, direction: 'inbound' }),
    ])
    const got = await fetchMany(shop, 'web', WHO, count)
    const [sent, taken] = [await out.settled(), await into.settled()]
    const written = total(got, 'written')
    const read = total(got, 'read')
    const bytes = sent.received === written && sent.sent === read
    const observed = `${answered(got)} of ${count} connections answered; ${sent.opened} counted by web's sidecar, ${taken.opened} by those of reviews; ${written} and ${read} bytes${bytes ? ', equal on both sides' : `, but the sidecar counted ${sent.received} and ${sent.sent}`}`
    const isOk = answered(got) === count && sent.opened === count && taken.opened === count
    return { isOk: isOk && bytes, observed }
  },
}

export const peer: Step = {
  name: "the application's peer is its sidecar",
  async run(shop) {
    const got = await fetchMany(shop, 'web', WHO, 6)
    const peers = new Map(got.map(({ body }) => [body?.from ?? '', plain(body?.peer ?? '')]))
    const isOwn = [...peers].every(([name, ip]) => ip === own(shop, name) || ip.startsWith('127.'))
    const seen = [...peers].sort().map(([name, ip]) => `${name} sees ${ip}`)
    const observed = `${seen.join(', ')}; web itself is ${shop.pod('web').ip}`
    return { isOk: isOwn && answered(got) === 6, observed }
  },
}

export const balanced: Step = {
  name: 'balanced over three instances',
  async run(shop) {
    const count = 60
    const got = await fetchMany(shop, 'web', WHO, count)
    const shares = REVIEWS.map((name) => got.filter(({ body }) => body?.from === name).length)
    const isOk = answered(got) === count && shares.every((share) => share >= count / 6)
    return { isOk, observed: `${count} connections: ${describeShares(got)}` }
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
    const [sent, taken] = [await out.settled(), await into.settled()]
    const isOk = [answered(got), sent.opened, taken.opened].every((each) => each === count)
    const observed = `${answered(got)} of ${count} from reviews to [${ADDRESSES.ratings}]:9080; ${sent.opened} counted on the way out, ${taken.opened} on the way in, to ${endpoint}9080`
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
    const [sent, refused] = [await out.settled(), await refusals.settled()]
    const isAllowed = allowed?.body?.from === 'customer' && sent.opened === 1
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

/** `20 + 20 + 20` in the order of the instances, and what was not answered. */
export function describeShares(got: readonly Got[]): string {
  const shares = REVIEWS.map(
    (name) => `${got.filter(({ body }) => body?.from === name).length} ${name}`,
  )
  const errors = [...new Set(got.flatMap(({ error }) => (error === undefined ? [] : [error])))]
  return [...shares, ...errors].join(', ')
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
