// `v1/Service` from its YAML form: virtual addresses and TCP ports.
//
// All fields that Kubernetes has are known, so that what a cluster prints can be read and a misspelt field is refused;
// only addresses and ports are used. Which pods stand behind a Service is left to EndpointSlices, as in Kubernetes.

import { familyOf, readUnicastIp } from '../lib/address.ts'
import type { Problems } from '../lib/problems.ts'
import {
  item,
  join,
  readChoice,
  readFields,
  readInteger,
  readList,
  readPort,
  readString,
} from '../lib/shape.ts'
import { readLabel, readMetadata } from './metadata.ts'
import type { Origin, Service, ServicePort } from './resources.ts'

const TOP = ['apiVersion', 'kind', 'metadata', 'spec', 'status']
const SPEC = [
  'clusterIP',
  'clusterIPs',
  'ports',
  'type',
  'selector',
  'sessionAffinity',
  'sessionAffinityConfig',
  'ipFamilies',
  'ipFamilyPolicy',
  'internalTrafficPolicy',
  'externalTrafficPolicy',
  'externalIPs',
  'externalName',
  'healthCheckNodePort',
  'loadBalancerIP',
  'loadBalancerClass',
  'loadBalancerSourceRanges',
  'allocateLoadBalancerNodePorts',
  'publishNotReadyAddresses',
  'trafficDistribution',
  'topologyKeys',
]
const PORT = ['name', 'port', 'protocol', 'targetPort', 'nodePort', 'appProtocol']
export const PROTOCOLS = ['TCP', 'UDP', 'SCTP'] as const
const AFFINITIES = ['None', 'ClientIP'] as const
const HEADLESS = 'None'

interface AnyPort extends ServicePort {
  readonly protocol: (typeof PROTOCOLS)[number]
}

export function readService(
  value: unknown,
  path: string,
  origin: Origin,
  problems: Problems,
): Service {
  const top = readFields(value, path, TOP, problems)
  const { name, namespace } = readMetadata(top.get('metadata'), join(path, 'metadata'), problems, {
    name: 'label',
    annotations: [],
  })
  const specPath = join(path, 'spec')
  const spec = readFields(top.get('spec'), specPath, SPEC, problems)
  return {
    kind: 'Service',
    name,
    namespace,
    origin,
    clusterIPs: readClusterIPs(spec.get('clusterIP'), spec.get('clusterIPs'), specPath, problems),
    ports: readPorts(spec.get('ports'), join(specPath, 'ports'), problems),
    clientIpAffinity:
      readChoice(
        spec.get('sessionAffinity'),
        join(specPath, 'sessionAffinity'),
        problems,
        AFFINITIES,
        'None',
      ) === 'ClientIP',
  }
}

/** `clusterIPs` and its older, single form, which must agree where both are there. */
function readClusterIPs(one: unknown, many: unknown, path: string, problems: Problems): string[] {
  const onePath = join(path, 'clusterIP')
  const manyPath = join(path, 'clusterIPs')
  const first = one === '' || one === undefined ? undefined : readClusterIP(one, onePath, problems)
  const all = readList(many, manyPath, problems).map((each, index) =>
    readClusterIP(each, item(manyPath, index), problems),
  )
  if (first !== undefined && all.length > 0 && all[0] !== first) {
    problems.add(item(manyPath, 0), 'must be the same as clusterIP', all[0])
  }
  const found = all.length > 0 ? all : first === undefined ? [] : [first]
  const ips = found.filter((ip) => ip !== HEADLESS && ip !== '')
  if (ips.length > 0 && found.includes(HEADLESS)) {
    problems.add(manyPath, `must be addresses or only ${HEADLESS}`, found)
  }
  if (new Set(ips.map(familyOf)).size < ips.length) {
    problems.add(manyPath, 'may hold one IPv4 and one IPv6 address', ips)
  }
  return ips
}

function readClusterIP(value: unknown, path: string, problems: Problems): string {
  return value === HEADLESS ? HEADLESS : readUnicastIp(value, path, problems)
}

/** The TCP ports; names and numbers must be unique, and named where there are several, over all protocols. */
function readPorts(value: unknown, path: string, problems: Problems): ServicePort[] {
  const items = readList(value, path, problems)
  const names = new Set<string>()
  const numbers = new Set<string>()
  const ports: ServicePort[] = []
  for (const [index, each] of items.entries()) {
    const portPath = item(path, index)
    const before = problems.count
    const { protocol, ...port } = readServicePort(each, portPath, problems)
    if (problems.count > before) continue
    if (port.name === '' && items.length > 1) {
      problems.add(join(portPath, 'name'), 'is required where a Service has several ports')
    } else if (names.has(port.name)) {
      problems.add(join(portPath, 'name'), 'is the name of another port too', port.name)
    }
    const number = `${port.port}/${protocol}`
    if (numbers.has(number)) {
      problems.add(join(portPath, 'port'), 'is the number of another port too', port.port)
    }
    names.add(port.name)
    numbers.add(number)
    if (protocol === 'TCP') ports.push(port)
  }
  return ports
}

function readServicePort(value: unknown, path: string, problems: Problems): AnyPort {
  const fields = readFields(value, path, PORT, problems)
  const name = fields.get('name') ?? ''
  readTargetPort(fields.get('targetPort'), join(path, 'targetPort'), problems)
  readInteger(fields.get('nodePort'), join(path, 'nodePort'), problems, {
    min: 0,
    max: 65535,
    fallback: 0,
  })
  return {
    name: name === '' ? '' : readLabel(name, join(path, 'name'), problems),
    port: readPort(fields.get('port'), join(path, 'port'), problems),
    appProtocol: readString(fields.get('appProtocol'), join(path, 'appProtocol'), problems, ''),
    protocol: readChoice(
      fields.get('protocol'),
      join(path, 'protocol'),
      problems,
      PROTOCOLS,
      'TCP',
    ),
  }
}

/** A number, or the name of a container's port: a mesh has no use for it, but a wrong one is a mistake. */
function readTargetPort(value: unknown, path: string, problems: Problems): void {
  if (value === undefined) return
  if (typeof value === 'string') readLabel(value, path, problems)
  else readInteger(value, path, problems, { min: 0, max: 65535 })
}
