// The options of the redirects: every flag with its help and default in one table, and the parser that turns their
// texts into typed options, noting every problem at once with the flag (or variable) and the value found.
//
// The command line registers the table; what the options mean as rules is left to rules.ts.

import { type Cidr, parseCidr } from '../src/lib/address.ts'
import { Problems } from '../src/lib/problems.ts'

/** Numbers from `first` to `last`, both included: ports, uids or gids. */
export interface Range {
  readonly first: number
  readonly last: number
}

export type Backend = 'nft' | 'legacy'

export interface Options {
  readonly outboundPort: number
  readonly inboundPort: number
  readonly meshPort: number
  readonly adminPort: number
  readonly metricsPort: number
  readonly proxyUid: number
  readonly proxyGid: number
  /** `all`, or the ports that are captured; exclusions win. */
  readonly inboundPortsInclude: 'all' | readonly Range[]
  readonly inboundPortsExclude: readonly Range[]
  readonly outboundPortsInclude: 'all' | readonly Range[]
  readonly outboundPortsExclude: readonly Range[]
  readonly outboundCidrsInclude: 'all' | readonly Cidr[]
  readonly outboundCidrsExclude: readonly Cidr[]
  readonly interfacesExclude: readonly string[]
  readonly uidsExclude: readonly Range[]
  readonly gidsExclude: readonly Range[]
  readonly dropInvalid: boolean
  readonly ipv6: 'auto' | 'on' | 'off'
  readonly backend: Backend | 'auto'
  /** Seconds to wait for the lock of iptables-legacy. */
  readonly lockWait: number
  readonly verify: boolean
}

export type FlagName =
  | 'outbound-port'
  | 'inbound-port'
  | 'mesh-port'
  | 'admin-port'
  | 'metrics-port'
  | 'proxy-uid'
  | 'proxy-gid'
  | 'inbound-ports-include'
  | 'inbound-ports-exclude'
  | 'outbound-ports-include'
  | 'outbound-ports-exclude'
  | 'outbound-cidrs-include'
  | 'outbound-cidrs-exclude'
  | 'interfaces-exclude'
  | 'uids-exclude'
  | 'gids-exclude'
  | 'drop-invalid'
  | 'ipv6'
  | 'backend'
  | 'lock-wait'
  | 'verify'

export interface Flag {
  readonly name: FlagName
  /** How the value is shown in the help. */
  readonly value: string
  readonly fallback: string
  readonly help: string
}

/** Every flag that takes a value. Each is also the environment variable that `variableOf` names. */
export const FLAGS: readonly Flag[] = [
  flag('outbound-port', '<port>', '15001', "the proxy's listener for outbound connections"),
  flag('inbound-port', '<port>', '15006', "the proxy's listener for inbound connections"),
  flag('mesh-port', '<port>', '15008', 'the mTLS port of the proxy; never redirected'),
  flag('admin-port', '<port>', '15000', 'the admin port of the proxy, on loopback'),
  flag('metrics-port', '<port>', '15020', 'metrics and health of the proxy; never redirected'),
  flag('proxy-uid', '<uid>', '1337', 'the user of the proxy, whose connections are not captured'),
  flag('proxy-gid', '<gid>', '1337', 'the group of the proxy, whose connections are not captured'),
  flag('inbound-ports-include', '<ports>', 'all', 'inbound ports to capture'),
  flag('inbound-ports-exclude', '<ports>', '', 'inbound ports to leave alone'),
  flag('outbound-ports-include', '<ports>', 'all', 'outbound ports to capture'),
  flag('outbound-ports-exclude', '<ports>', '', 'outbound ports to leave alone'),
  flag('outbound-cidrs-include', '<cidrs>', 'all', 'outbound addresses to capture, v4 and v6'),
  flag('outbound-cidrs-exclude', '<cidrs>', '', 'outbound addresses to leave alone, v4 and v6'),
  flag(
    'interfaces-exclude',
    '<names>',
    '',
    'interfaces to leave alone, both ways; "tun+" is a prefix',
  ),
  flag('uids-exclude', '<uids>', '', 'users whose outbound connections are left alone'),
  flag('gids-exclude', '<gids>', '', 'groups whose outbound connections are left alone'),
  flag('drop-invalid', '<bool>', 'false', 'drop packets that the connection tracker finds invalid'),
  flag('ipv6', '<mode>', 'auto', 'auto (where the pod has it), on (fail without it) or off'),
  flag('backend', '<name>', 'auto', 'nft, legacy or auto (what is in use, then what works)'),
  flag('lock-wait', '<seconds>', '30', 'how long to wait for the lock of iptables-legacy'),
  flag('verify', '<bool>', 'true', 'prove the redirect afterwards by a real connection'),
]

const LISTS: ReadonlySet<FlagName> = new Set<FlagName>([
  'inbound-ports-include',
  'inbound-ports-exclude',
  'outbound-ports-include',
  'outbound-ports-exclude',
  'outbound-cidrs-include',
  'outbound-cidrs-exclude',
  'interfaces-exclude',
  'uids-exclude',
  'gids-exclude',
])

const PREFIX = 'UNDERPASS_INIT_'

/** The environment variable of a flag: `outbound-port` is UNDERPASS_INIT_OUTBOUND_PORT. */
export function variableOf(name: string): string {
  return PREFIX + name.toUpperCase().replaceAll('-', '_')
}

/** A text, and where it was given: `--outbound-port` or `UNDERPASS_INIT_OUTBOUND_PORT`. */
export interface Given {
  readonly text: string
  readonly path: string
}

/** Joins command line and environment (the command line wins); a variable that no flag has is a problem. */
export function gather(
  flags: Readonly<Record<string, string | undefined>>,
  environment: Readonly<Record<string, string | undefined>>,
  others: readonly string[],
  problems: Problems,
): Map<FlagName, Given> {
  const given = new Map<FlagName, Given>()
  for (const { name } of FLAGS) {
    const variable = variableOf(name)
    const fromLine = flags[name]
    const fromEnvironment = environment[variable]
    // Manifests set variables that they have no value for. Only a list can mean nothing by being empty.
    const absent = fromEnvironment?.trim() === '' && !LISTS.has(name)
    if (fromLine !== undefined) given.set(name, { text: fromLine, path: `--${name}` })
    else if (fromEnvironment !== undefined && !absent) {
      given.set(name, { text: fromEnvironment, path: variable })
    }
  }
  const known = new Set([...FLAGS.map(({ name }) => name), ...others].map(variableOf))
  for (const variable of Object.keys(environment)) {
    if (variable.startsWith(PREFIX) && !known.has(variable)) {
      problems.add(variable, 'is not a known variable', environment[variable])
    }
  }
  return given
}

/** The options; after a problem the value in question is its default. */
export function parseOptions(given: ReadonlyMap<FlagName, Given>, problems: Problems): Options {
  const read = new Reader(given, problems)
  const options: Options = {
    outboundPort: read.number('outbound-port', PORT),
    inboundPort: read.number('inbound-port', PORT),
    meshPort: read.number('mesh-port', PORT),
    adminPort: read.number('admin-port', PORT),
    metricsPort: read.number('metrics-port', PORT),
    proxyUid: read.number('proxy-uid', PROXY_ID),
    proxyGid: read.number('proxy-gid', PROXY_ID),
    inboundPortsInclude: read.rangesOrAll('inbound-ports-include', PORT),
    inboundPortsExclude: read.ranges('inbound-ports-exclude', PORT),
    outboundPortsInclude: read.rangesOrAll('outbound-ports-include', PORT),
    outboundPortsExclude: read.ranges('outbound-ports-exclude', PORT),
    outboundCidrsInclude: read.cidrsOrAll('outbound-cidrs-include'),
    outboundCidrsExclude: read.cidrs('outbound-cidrs-exclude'),
    interfacesExclude: read.interfaces('interfaces-exclude'),
    uidsExclude: read.ranges('uids-exclude', ID),
    gidsExclude: read.ranges('gids-exclude', ID),
    dropInvalid: read.choice('drop-invalid', BOOLEANS, false),
    ipv6: read.choice('ipv6', { auto: 'auto', on: 'on', off: 'off' }, 'auto'),
    backend: read.choice('backend', { auto: 'auto', nft: 'nft', legacy: 'legacy' }, 'auto'),
    lockWait: read.number('lock-wait', { min: 0, max: 3600, what: 'a number of seconds' }),
    verify: read.choice('verify', BOOLEANS, true),
  }
  refuseSharedPorts(options, read, problems)
  return options
}

/** The options of a command line without flags. */
export function defaultOptions(): Options {
  return parseOptions(new Map(), new Problems())
}

interface Limits {
  readonly min: number
  readonly max: number
  readonly what: string
}

const PORT: Limits = { min: 1, max: 65535, what: 'a port' }
// 4294967295 is the kernel's "no id".
const ID: Limits = { min: 0, max: 4_294_967_294, what: 'a numeric id' }
// Were the proxy root, every process of root would escape the mesh.
const PROXY_ID: Limits = { ...ID, min: 1 }
const BOOLEANS = { true: true, false: false } as const

function flag(name: FlagName, value: string, fallback: string, help: string): Flag {
  return { name, value, fallback, help }
}

class Reader {
  readonly #given: ReadonlyMap<FlagName, Given>
  readonly #problems: Problems

  constructor(given: ReadonlyMap<FlagName, Given>, problems: Problems) {
    this.#given = given
    this.#problems = problems
  }

  path(name: FlagName): string {
    return this.#given.get(name)?.path ?? `--${name}`
  }

  number(name: FlagName, limits: Limits): number {
    const parsed = parseNumber(this.#text(name), limits)
    if (parsed !== undefined) return parsed
    this.#problem(name, `must be ${limits.what} from ${limits.min} to ${limits.max}`)
    return Number(fallbackOf(name))
  }

  choice<Value>(name: FlagName, values: Readonly<Record<string, Value>>, fallback: Value): Value {
    const text = this.#text(name)
    const found = Object.hasOwn(values, text) ? values[text] : undefined
    if (found !== undefined) return found
    this.#problem(name, `must be one of ${Object.keys(values).join(', ')}`)
    return fallback
  }

  rangesOrAll(name: FlagName, limits: Limits): 'all' | readonly Range[] {
    return isAll(this.#text(name)) ? 'all' : this.ranges(name, limits)
  }

  ranges(name: FlagName, limits: Limits): readonly Range[] {
    const ranges = this.#items(name).map((item) => {
      const [first = '', last = first, ...rest] = item.split('-')
      const range = { first: parseNumber(first, limits), last: parseNumber(last, limits) }
      if (rest.length === 0 && isRange(range)) return range
      const { min, max, what } = limits
      const form = `must list items like 80 or 3000-3010, each ${what} from ${min} to ${max}`
      this.#problems.add(this.path(name), form, item)
      return undefined
    })
    return mergeRanges(ranges.filter((range) => range !== undefined))
  }

  cidrsOrAll(name: FlagName): 'all' | readonly Cidr[] {
    return isAll(this.#text(name)) ? 'all' : this.cidrs(name)
  }

  cidrs(name: FlagName): readonly Cidr[] {
    const cidrs = this.#items(name).map((item) => {
      const cidr = parseCidr(item)
      if (cidr === undefined) {
        this.#problems.add(this.path(name), 'must list CIDRs like 10.0.0.0/8 or fd00::/8', item)
      }
      return cidr
    })
    const found = cidrs.filter((cidr) => cidr !== undefined)
    return [...new Map(found.map((cidr) => [cidr.text, cidr])).values()]
  }

  interfaces(name: FlagName): readonly string[] {
    const names = this.#items(name)
    for (const item of names) {
      // The kernel's own limits on a name; `+` alone would be every interface.
      if (/^[^\s/:!"'\\+]{1,15}\+?$/.test(item) && item.length <= 15) continue
      this.#problems.add(this.path(name), 'must list interfaces like eth1 or tun+', item)
    }
    return [...new Set(names)]
  }

  #text(name: FlagName): string {
    return (this.#given.get(name)?.text ?? fallbackOf(name)).trim()
  }

  #items(name: FlagName): string[] {
    const text = this.#text(name)
    return text === '' ? [] : text.split(',').map((item) => item.trim())
  }

  #problem(name: FlagName, message: string): void {
    this.#problems.add(this.path(name), message, this.#text(name))
  }
}

function fallbackOf(name: FlagName): string {
  return FLAGS.find((one) => one.name === name)?.fallback ?? ''
}

function isAll(text: string): boolean {
  return text === 'all' || text === '*'
}

function isRange(range: { first: number | undefined; last: number | undefined }): range is Range {
  return range.first !== undefined && range.last !== undefined && range.first <= range.last
}

function parseNumber(text: string, { min, max }: Limits): number | undefined {
  const number = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
  return number >= min && number <= max ? number : undefined
}

/** Sorted, without overlap: equal sets of ports give equal rules, in whatever order they were written. */
function mergeRanges(ranges: readonly Range[]): readonly Range[] {
  const merged: Range[] = []
  for (const range of ranges.toSorted((a, b) => a.first - b.first)) {
    const previous = merged.at(-1)
    if (previous === undefined || range.first > previous.last + 1) merged.push(range)
    else merged[merged.length - 1] = joinRanges(previous, range)
  }
  return merged
}

function joinRanges(a: Range, b: Range): Range {
  return { first: a.first, last: Math.max(a.last, b.last) }
}

function refuseSharedPorts(options: Options, read: Reader, problems: Problems): void {
  const owners = new Map<number, string>()
  const ports: readonly (readonly [FlagName, number])[] = [
    ['outbound-port', options.outboundPort],
    ['inbound-port', options.inboundPort],
    ['mesh-port', options.meshPort],
    ['admin-port', options.adminPort],
    ['metrics-port', options.metricsPort],
  ]
  for (const [name, port] of ports) {
    const owner = owners.get(port)
    if (owner !== undefined) problems.add(read.path(name), `must differ from ${owner}`, port)
    else owners.set(port, read.path(name))
  }
}
