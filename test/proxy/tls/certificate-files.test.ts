import { renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Problems } from '../../../src/lib/problems.ts'
import {
  CertificateFiles,
  type CertificatePaths,
  type Certified,
  LOOK_EVERY,
} from '../../../src/proxy/tls/certificate-files.ts'
import { makeCertificate, testFolder } from '../../support/certificates.ts'
import { FakeClock } from '../../support/fake-clock.ts'

interface Watched {
  readonly files: CertificateFiles
  readonly clock: FakeClock
  readonly changed: Certified[]
  readonly refused: string[]
}

function watch(t: Test, paths: CertificatePaths): Watched {
  const [clock, changed, refused]: [FakeClock, Certified[], string[]] = [new FakeClock(), [], []]
  const files = new CertificateFiles('inbound.listeners[0].tls', paths, clock, {
    changed: (certified) => changed.push(certified),
    refused: (problems) => refused.push(problems.toString()),
  })
  t.teardown(() => {
    files.stop()
  })
  return { files, clock, changed, refused }
}

async function problemsOf(t: Test, paths: CertificatePaths): Promise<string> {
  const problems = new Problems()
  const found = await watch(t, paths).files.start(problems)
  t.equal(found === undefined, problems.any)
  return problems.toString()
}

t.test('certificate files: a good pair', async (t) => {
  const folder = testFolder(t)
  for (const kind of ['ec', 'rsa'] as const) {
    const { pem, ...paths } = makeCertificate(folder, kind, kind)
    const found = await watch(t, paths).files.start(new Problems())
    t.match(found, pem)
    t.ok(found !== undefined && found.expires > Date.now(), 'it says until when')
  }
})

t.test('certificate files: what cannot be served is refused with key and path', async (t) => {
  const folder = testFolder(t)
  const good = makeCertificate(folder)
  const other = makeCertificate(folder, 'other')
  const weak = makeCertificate(folder, 'weak', 'weak')
  const text = join(folder, 'text')
  writeFileSync(text, 'hello\n')
  const broken = join(folder, 'broken')
  writeFileSync(broken, `${good.pem.certificate}-----BEGIN CERTIFICATE-----\nAAAA\n`)
  const absent = join(folder, 'absent')
  const at = 'inbound.listeners[0].tls'
  const cases: [CertificatePaths, ...string[]][] = [
    [{ ...good, certificate: absent }, `${at}.certificate ${absent}: does not exist`],
    [{ ...good, key: folder }, `${at}.key ${folder}: cannot be read: it is a folder`],
    [{ ...good, certificate: text }, `${at}.certificate ${text}: holds no certificate in PEM`],
    [
      { certificate: text, key: text },
      `${at}.certificate ${text}: holds no certificate in PEM`,
      `${at}.key ${text}: holds no private key in PEM, or one with a passphrase`,
    ],
    [{ ...good, key: other.key }, `${at}.key ${other.key}: is not the key of the certificate`],
    [weak, `${at}.key ${weak.key}: cannot be served: `],
    [{ ...good, certificate: broken }, `${at}.key ${good.key}: cannot be served: `],
  ]
  for (const [paths, ...expected] of cases) {
    const found = (await problemsOf(t, paths)).split('\n')
    t.equal(found.length, expected.length, found.join())
    for (const [index, start] of expected.entries()) {
      t.ok(found[index]?.startsWith(start), `${found[index]}`)
    }
    t.notMatch(found.join(), 'PRIVATE')
  }
})

t.test('certificate files: a change is taken once it was left alone', async (t) => {
  const folder = testFolder(t)
  const good = makeCertificate(folder)
  const next = makeCertificate(folder, 'next')
  const { files, changed, refused } = watch(t, good)
  await files.start(new Problems())
  await files.look()
  await files.look()
  t.same(changed, [], 'nothing is new')
  writeFileSync(good.certificate, next.pem.certificate)
  await files.look()
  writeFileSync(good.key, next.pem.key)
  await files.look()
  t.same([changed, refused], [[], []], 'half a pair is not looked into')
  await files.look()
  t.match(changed, [next.pem])
  writeFileSync(good.key, next.pem.key)
  await files.look()
  await files.look()
  t.equal(changed.length, 1, 'written again, the same is not new')
})

t.test(
  'certificate files: a bad change is told of once, and the next good one taken',
  async (t) => {
    const folder = testFolder(t)
    const good = makeCertificate(folder)
    const next = makeCertificate(folder, 'next')
    const { files, changed, refused } = watch(t, good)
    await files.start(new Problems())
    rmSync(good.key)
    for (let looks = 0; looks < 4; looks++) await files.look()
    t.match(refused, [/\.key .*server\.key: does not exist$/])
    writeFileSync(good.key, good.pem.key)
    await files.look()
    await files.look()
    t.same(changed, [], 'what was in force all the time is not new')
    writeFileSync(good.certificate, next.pem.certificate)
    writeFileSync(good.key, next.pem.key)
    await files.look()
    await files.look()
    t.match(changed, [next.pem])
    t.equal(refused.length, 1)
  },
)

t.test('certificate files: a link that is replaced, as in a mounted Secret', async (t) => {
  const folder = testFolder(t)
  const [one, two] = [makeCertificate(folder, 'one'), makeCertificate(folder, 'two')]
  const at = (name: string): string => join(folder, name)
  symlinkSync(one.certificate, at('tls.crt'))
  symlinkSync(one.key, at('tls.key'))
  const { files, clock, changed } = watch(t, { certificate: at('tls.crt'), key: at('tls.key') })
  t.match(await files.start(new Problems()), one.pem)
  for (const [name, to] of [
    ['tls.crt', two.certificate],
    ['tls.key', two.key],
  ] as const) {
    symlinkSync(to, at('fresh'))
    renameSync(at('fresh'), at(name))
  }
  await files.look()
  await files.look()
  t.match(changed, [two.pem])
  t.ok((clock.next ?? Infinity) <= LOOK_EVERY, 'it looks by itself, too')
  files.stop()
  t.equal(clock.timers, 0)
})
