// `discovery.k8s.io/v1/EndpointSlice` from its YAML form: where the instances of a Service are, and which are ready.
//
// All fields that Kubernetes has are known; addresses, ports and readiness are used. The annotations for meshed
// endpoints (identity, mesh port) are checked and not used yet: this version carries no mTLS.

import { familyOf, readUnicastIp } from '../lib/address.ts'
import type { Problems } from '../lib/problems.ts'
import {
  item,
  join,
  readBoolean,
  readChoice,
  readFields,
  readList,
  readPort,
  readRequiredFields,
  readString,
} from '../lib/shape.ts'
import { isLabel, type Metadata, readLabel, readMetadata } from './metadata.ts'
import type {
  EndpointSlice,
  EndpointSliceEndpoint,
  EndpointSlicePort,
  Origin,
} from './resources.ts'
import { PROTOCOLS } from './service.ts'

const SERVICE_LABEL = 'kubernetes.io/service-name'
const WEIGHT = 'underpass.dev/weight'
const IDENTITY = 'underpass.dev/identity'
const MESH_PORT = 'underpass.dev/mesh-port'
const MAX_WEIGHT = 1000

const TOP = ['apiVersion', 'kind', 'metadata', 'addressType', 'endpoints', 'ports']
const ENDPOINT = [
  'addresses',
  'conditions',
  'hostname',
  'nodeName',
  'zone',
  'targetRef',
  'hints',
  'deprecatedTopology',
]
const CONDITIONS = ['ready', 'serving', 'terminating']
const PORT = ['name', 'port', 'protocol', 'appProtocol']
const FAMILIES = { IPv4: 4, IPv6: 6 } as const
const SPIFFE = /^spiffe:\/\/[a-z0-9._-]{1,255}\/ns\/([^/]+)\/sa\/([^/]+)$/

export function readEndpointSlice(
  value: unknown,
  path: string,
  origin: Origin,
  problems: Problems,
): EndpointSlice {
  const top = readFields(value, path, TOP, problems)
  const metadataPath = join(path, 'metadata')
  const metadata = readMetadata(top.get('metadata'), metadataPath, problems, {
    name: 'subdomain',
    annotations: [WEIGHT, IDENTITY, MESH_PORT],
  })
  const labelPath = join(join(metadataPath, 'labels'), SERVICE_LABEL)
  const family = readFamily(top.get('addressType'), join(path, 'addressType'), problems)
  return {
    kind: 'EndpointSlice',
    name: metadata.name,
    namespace: metadata.namespace,
    origin,
    service: readLabel(metadata.labels.get(SERVICE_LABEL), labelPath, problems),
    ports: readPorts(top.get('ports'), join(path, 'ports'), problems),
    endpoints: readEndpoints(top.get('endpoints'), join(path, 'endpoints'), problems, family),
    weight: readAnnotations(metadata, join(metadataPath, 'annotations'), problems),
  }
}

/** The address family, or undefined where the addresses cannot be held against one. */
function readFamily(value: unknown, path: string, problems: Problems): 4 | 6 | undefined {
  if (value === 'FQDN') {
    problems.add(path, 'must be IPv4 or IPv6: names are not resolved', value)
    return undefined
  }
  const before = problems.count
  const type = readChoice(value, path, problems, ['IPv4', 'IPv6'])
  return problems.count > before ? undefined : FAMILIES[type]
}

function readEndpoints(
  value: unknown,
  path: string,
  problems: Problems,
  family: 4 | 6 | undefined,
): EndpointSliceEndpoint[] {
  return readList(value, path, problems).map((each, index) =>
    readEndpoint(each, item(path, index), problems, family),
  )
}

function readEndpoint(
  value: unknown,
  path: string,
  problems: Problems,
  family: 4 | 6 | undefined,
): EndpointSliceEndpoint {
  const fields = readRequiredFields(value, path, ENDPOINT, problems)
  const addressesPath = join(path, 'addresses')
  const items = readList(fields.get('addresses'), addressesPath, problems)
  if (items.length === 0) problems.add(addressesPath, 'must hold at least one address')
  return {
    addresses: items
      .map((each, index) => readEndpointIp(each, item(addressesPath, index), problems, family))
      .filter((ip) => ip !== ''),
    ready: readReady(fields.get('conditions'), join(path, 'conditions'), problems),
  }
}

function readEndpointIp(
  value: unknown,
  path: string,
  problems: Problems,
  family: 4 | 6 | undefined,
): string {
  const ip = readUnicastIp(value, path, problems)
  if (ip !== '' && family !== undefined && familyOf(ip) !== family) {
    problems.add(path, `must be an IPv${family} address, as addressType says`, value)
  }
  return ip
}

/** Kubernetes: an endpoint that says nothing is ready. `ready` is already false for one that is terminating. */
function readReady(value: unknown, path: string, problems: Problems): boolean {
  const fields = readFields(value, path, CONDITIONS, problems)
  for (const key of ['serving', 'terminating']) {
    readBoolean(fields.get(key), join(path, key), problems, false)
  }
  return readBoolean(fields.get('ready'), join(path, 'ready'), problems, true)
}

function readPorts(value: unknown, path: string, problems: Problems): EndpointSlicePort[] {
  const names = new Set<string>()
  const ports: EndpointSlicePort[] = []
  for (const [index, each] of readList(value, path, problems).entries()) {
    const portPath = item(path, index)
    const fields = readRequiredFields(each, portPath, PORT, problems)
    const before = problems.count
    const label = fields.get('name') ?? ''
    const name = label === '' ? '' : readLabel(label, join(portPath, 'name'), problems)
    const port = readPort(fields.get('port'), join(portPath, 'port'), problems)
    readString(fields.get('appProtocol'), join(portPath, 'appProtocol'), problems, '')
    const protocolPath = join(portPath, 'protocol')
    const protocol = readChoice(fields.get('protocol'), protocolPath, problems, PROTOCOLS, 'TCP')
    if (problems.count > before) continue
    if (names.has(name)) {
      problems.add(join(portPath, 'name'), 'is the name of another port too', name)
    }
    names.add(name)
    if (protocol === 'TCP') ports.push({ name, port })
  }
  return ports
}

/** Checks all annotations of ours and gives back the weight. */
function readAnnotations({ annotations }: Metadata, path: string, problems: Problems): number {
  const identity = annotations.get(IDENTITY)
  if (identity !== undefined && !isIdentity(identity)) {
    const form = 'must be spiffe://<trust domain>/ns/<namespace>/sa/<service account>'
    problems.add(join(path, IDENTITY), form, identity)
  }
  readWhole(annotations.get(MESH_PORT), join(path, MESH_PORT), problems, 65535)
  return readWhole(annotations.get(WEIGHT), join(path, WEIGHT), problems, MAX_WEIGHT)
}

function isIdentity(text: string): boolean {
  const [, namespace = '', account = ''] = SPIFFE.exec(text) ?? []
  return isLabel(namespace) && account.split('.').every(isLabel)
}

/** A whole number from 1 as text, which is all that an annotation can hold; 1 if absent. */
function readWhole(
  text: string | undefined,
  path: string,
  problems: Problems,
  max: number,
): number {
  if (text === undefined) return 1
  if (/^[1-9]\d{0,4}$/.test(text) && Number(text) <= max) return Number(text)
  problems.add(path, `must be a whole number from 1 to ${max}, in quotes`, text)
  return 1
}
