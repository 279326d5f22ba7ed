// `v1/ServiceAccount` from its YAML form: who a workload is.
//
// Read so that manifests may carry it; its name becomes a part of an identity where there is mTLS.

import type { Problems } from '../lib/problems.ts'
import { join, readFields } from '../lib/shape.ts'
import { readMetadata } from './metadata.ts'
import type { Origin, ServiceAccount } from './resources.ts'

const TOP = [
  'apiVersion',
  'kind',
  'metadata',
  'automountServiceAccountToken',
  'imagePullSecrets',
  'secrets',
]

export function readServiceAccount(
  value: unknown,
  path: string,
  origin: Origin,
  problems: Problems,
): ServiceAccount {
  const top = readFields(value, path, TOP, problems)
  const { name, namespace } = readMetadata(top.get('metadata'), join(path, 'metadata'), problems, {
    name: 'subdomain',
    annotations: [],
  })
  return { kind: 'ServiceAccount', name, namespace, origin }
}
