// Makes a fresh clone ready for one command: npm packages, the Debian packages that command needs, the build.
//
// Plain JavaScript without imports of our own, because it runs before anything is installed or compiled. Every
// step says what it does, and does nothing when there is nothing to do.

import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

const NETWORK = { iptables: 'iptables', ip: 'iproute2', setpriv: 'util-linux', newuidmap: 'uidmap' }
const TEST_APPLICATIONS = {
  nginx: 'nginx-light',
  'redis-server': 'redis-server',
  mariadbd: 'mariadb-server',
  mariadb: 'mariadb-client',
  haproxy: 'haproxy',
  curl: 'curl',
  wrk: 'wrk',
  openssl: 'openssl',
  nc: 'netcat-openbsd',
  ss: 'iproute2',
  python3: 'python3',
}
const NEEDS = {
  start: NETWORK,
  test: { ...NETWORK, ...TEST_APPLICATIONS },
  bench: {},
  link: {},
}
const PATH = `${process.env.PATH}:/usr/local/sbin:/usr/sbin:/sbin`

function say(text) {
  process.stderr.write(`underpass: ${text}\n`)
}

function fail(text) {
  say(text)
  process.exit(1)
}

function run(command, args, options = {}) {
  const result = spawnSync(command, args, {
    stdio: ['ignore', 2, 2],
    env: { ...process.env, PATH, ...options.env },
  })
  if (result.status !== 0 && !options.mayFail) {
    fail(
      `failed: ${command} ${args.join(' ')} (${result.error?.message ?? `exit ${result.status}`})`,
    )
  }
  return result.status === 0
}

function checkNode() {
  const major = Number(process.versions.node.split('.')[0])
  if (major < 20) fail(`Node.js 20 or newer is needed, this is ${process.versions.node}.`)
}

function installNpmPackages() {
  const installed = 'node_modules/.package-lock.json'
  const fresh =
    existsSync(installed) && statSync(installed).mtimeMs >= statSync('package-lock.json').mtimeMs
  if (fresh) return
  say('installing npm packages (npm ci)')
  run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'])
}

function build() {
  if (!run(process.execPath, ['node_modules/typescript/bin/tsc'], { mayFail: true })) {
    fail('the build failed: see the type errors above')
  }
  link()
}

/** npx and npm link need the command to be executable, and tsc does not make it so. */
function link() {
  const { bin } = JSON.parse(readFileSync('package.json', 'utf8'))
  for (const file of Object.values(bin)) if (existsSync(file)) chmodSync(file, 0o755)
}

function hasTool(name) {
  return PATH.split(':').some((folder) => folder !== '' && existsSync(join(folder, name)))
}

function installDebianPackages(needs) {
  const missing = Object.entries(needs).filter(([tool]) => !hasTool(tool))
  const packages = [...new Set(missing.map(([, name]) => name))]
  if (packages.length === 0) return
  const command = `apt-get install -y --no-install-recommends ${packages.join(' ')}`
  if (process.platform !== 'linux') return
  if (!hasTool('apt-get') || process.getuid() !== 0) {
    say(`missing: ${missing.map(([tool]) => tool).join(', ')}. As root: ${command}`)
    return
  }
  say(`installing Debian packages: ${packages.join(' ')}`)
  const env = { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  run('apt-get', ['update', '-q'], { mayFail: true })
  run('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...packages], { env })
}

const command = process.argv[2]
if (!Object.hasOwn(NEEDS, command ?? '')) fail(`usage: prepare.mjs ${Object.keys(NEEDS).join('|')}`)
process.chdir(join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '..'))
if (command === 'link') {
  link()
} else {
  checkNode()
  installNpmPackages()
  installDebianPackages(NEEDS[command])
  build()
}
