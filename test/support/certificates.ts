// Certificates for tests, signed by themselves, made by the openssl command.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'

/** The files of a certificate that stands for `localhost` and 127.0.0.1, and what they hold. */
export interface TestCertificate {
  readonly certificate: string
  readonly key: string
  readonly pem: { readonly certificate: string; readonly key: string }
}

/** A folder that is gone with the test. */
export function testFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'underpass-tls-'))
  t.teardown(() => {
    rmSync(folder, { recursive: true })
  })
  return folder
}

type Kind = 'ec' | 'rsa' | 'weak'

const KINDS: Readonly<Record<Kind, readonly string[]>> = {
  ec: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  rsa: ['-newkey', 'rsa:2048'],
  weak: ['-newkey', 'rsa:512'],
}

/** `name` names the files, and the subject. */
export function makeCertificate(
  folder: string,
  name = 'server',
  kind: Kind = 'ec',
): TestCertificate {
  const [certificate, key] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)]
  const options = [
    ...['req', '-x509', '-nodes', '-days', '2', '-sha256', '-subj', `/CN=${name}`],
    ...['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1', '-keyout', key],
    ...['-out', certificate, ...KINDS[kind]],
  ]
  execFileSync('openssl', options, { stdio: 'ignore' })
  const read = (path: string): string => readFileSync(path, 'utf8')
  return { certificate, key, pem: { certificate: read(certificate), key: read(key) } }
}
