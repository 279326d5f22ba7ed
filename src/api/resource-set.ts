// Resources that were read one by one, put together: what they say of each other must fit.
//
// What contradicts itself is a problem, and the whole state is refused. What may well be so for a moment while people
// and controllers edit one thing after another (a policy whose Service is not there yet or no longer) is a warning:
// refusing it would freeze discovery over a harmless leftover.

import type { Problems } from '../lib/problems.ts'
import type {
  AnyResource,
  EndpointSlice,
  Origin,
  Resources,
  Service,
  TrafficPolicy,
} from './resources.ts'

type Reporter = (resource: AnyResource, field: string, message: string) => void

/** One state out of all resources of all files. After a problem it must not be used. */
export function collectResources(
  all: readonly AnyResource[],
  problems: Problems,
  warnings: Problems,
): Resources {
  const resources = {
    services: all.filter((each) => each.kind === 'Service'),
    endpointSlices: all.filter((each) => each.kind === 'EndpointSlice'),
    trafficPolicies: all.filter((each) => each.kind === 'TrafficPolicy'),
    serviceAccounts: all.filter((each) => each.kind === 'ServiceAccount'),
  }
  const problem = reporter(problems)
  const warning = reporter(warnings)
  const services = new Map(resources.services.map((each) => [fullName(each), each]))
  refuseSameNames(all, problem)
  refuseSharedAddresses(resources.services, problem)
  refuseSharedTargets(resources.trafficPolicies, problem)
  // A Service that was itself refused may lack ports that it has: no word on those.
  const broken = ({ origin }: Service): boolean =>
    problems.list.some(({ path }) => path.startsWith(`${placeOf(origin)} `))
  for (const policy of resources.trafficPolicies) {
    checkTarget(policy, services, problem, warning, broken)
    checkMirrors(policy, services, warning)
  }
  for (const slice of resources.endpointSlices) checkPortNames(slice, services, warning)
  return resources
}

/** Two resources of one kind, namespace and name. */
function refuseSameNames(all: readonly AnyResource[], problem: Reporter): void {
  const seen = new Map<string, AnyResource>()
  for (const each of all) {
    const key = `${each.kind} ${fullName(each)}`
    const other = seen.get(key)
    if (each.name === '') continue
    if (other === undefined) seen.set(key, each)
    else problem(each, 'metadata.name', `${each.kind} ${fullName(each)} is ${stands(other)} too`)
  }
}

/** Two Services with one virtual address, whatever their ports: the address would belong to neither. */
function refuseSharedAddresses(services: readonly Service[], problem: Reporter): void {
  const owners = new Map<string, Service>()
  for (const service of services) {
    for (const ip of service.clusterIPs) {
      const owner = owners.get(ip)
      if (owner === undefined) owners.set(ip, service)
      else if (owner !== service && fullName(owner) !== fullName(service)) {
        const whose = `the address of Service ${fullName(owner)}, ${stands(owner)}, too`
        problem(service, 'spec.clusterIP', `${ip} of Service ${fullName(service)} is ${whose}`)
      }
    }
  }
}

/** Two policies for the same Service and section: neither is the one that counts. */
function refuseSharedTargets(policies: readonly TrafficPolicy[], problem: Reporter): void {
  const seen = new Map<string, TrafficPolicy>()
  for (const policy of policies) {
    if (policy.service === '') continue
    const target = targetName(policy)
    const other = seen.get(target)
    if (other === undefined) seen.set(target, policy)
    else if (fullName(other) !== fullName(policy)) {
      const whose = `the target of TrafficPolicy ${fullName(other)}, ${stands(other)}, too`
      problem(policy, 'spec.targetRef', `${target} of ${fullName(policy)} is ${whose}`)
    }
  }
}

function checkTarget(
  policy: TrafficPolicy,
  services: ReadonlyMap<string, Service>,
  problem: Reporter,
  warning: Reporter,
  broken: (service: Service) => boolean,
): void {
  const { namespace, service: name, section } = policy
  if (name === '') return
  const service = services.get(`${namespace}/${name}`)
  if (service === undefined) {
    warning(
      policy,
      'spec.targetRef.name',
      `there is no Service ${namespace}/${name}, so TrafficPolicy ${fullName(policy)} has no effect`,
    )
    return
  }
  if (section === undefined || section === '') return
  if (service.ports.some((port) => port.name === section) || broken(service)) return
  problem(
    policy,
    'spec.targetRef.sectionName',
    `Service ${fullName(service)}, ${stands(service)}, has no TCP port named ${section}`,
  )
}

/** Copies that nobody gets are dropped: the requests themselves are well. */
function checkMirrors(
  policy: TrafficPolicy,
  services: ReadonlyMap<string, Service>,
  warning: Reporter,
): void {
  const { rules, routes } = policy
  const own = routes.map(({ rules: { mirror } }, index) => ({
    mirror: mirror === rules.mirror ? undefined : mirror,
    field: `spec.routes[${index}].mirror`,
  }))
  for (const { mirror, field } of [{ mirror: rules.mirror, field: 'spec.mirror' }, ...own]) {
    if (mirror === undefined || mirror.service === '') continue
    const { namespace, service, port } = mirror
    const found = services.get(`${namespace}/${service}`)
    if (found?.ports.some((each) => each.port === port) === true) continue
    const lacks = `there is no Service ${namespace}/${service} with TCP port ${port}`
    warning(policy, field, `${lacks}, so nothing is mirrored there`)
  }
}

/** A slice is matched with its Service by the names of ports; one that matches none carries no traffic. */
function checkPortNames(
  slice: EndpointSlice,
  services: ReadonlyMap<string, Service>,
  warning: Reporter,
): void {
  const service = services.get(`${slice.namespace}/${slice.service}`)
  if (service === undefined) return
  for (const [index, { name }] of slice.ports.entries()) {
    if (service.ports.some((port) => port.name === name)) continue
    const which = name === '' ? 'without a name' : `named ${name}`
    warning(
      slice,
      `ports[${index}].name`,
      `Service ${fullName(service)}, ${stands(service)}, has no TCP port ${which}, so no traffic goes there`,
    )
  }
}

function reporter(problems: Problems): Reporter {
  return ({ origin }, field, message) => {
    problems.add(`${placeOf(origin)} ${field}`, message)
  }
}

function fullName({ namespace, name }: { namespace: string; name: string }): string {
  return `${namespace}/${name}`
}

function targetName({ namespace, service, section }: TrafficPolicy): string {
  const port = section === undefined ? '' : `, port ${section},`
  return `Service ${namespace}/${service}${port}`
}

function stands({ origin }: AnyResource): string {
  return `in ${placeOf(origin)}`
}

function placeOf({ file, document }: Origin): string {
  return `${file}#${document}`
}
