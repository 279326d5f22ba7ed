// Makes a fresh clone ready for one command: npm packages, the Debian packages that command needs, the build.
//
// Plain JavaScript without imports of our own, because it runs before anything is installed or compiled. Every
// step says what it does, and does nothing when there is nothing to do. Several may run at once in one clone: a
// lock folder lets one work while the others wait.

import { spawnSync } from 'node:child_process'
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'

const NETWORK = {
  iptables: 'iptables',
  ip: 'iproute2',
  setpriv: 'util-linux',
  newuidmap: 'uidmap',
  bash: 'bash',
}
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
  apache2: 'apache2-bin',
  h2load: 'nghttp2-client',
  nghttpd: 'nghttp2-server',
}
const NEEDS = {
  start: { ...NETWORK, curl: 'curl' },
  test: { ...NETWORK, ...TEST_APPLICATIONS },
  bench: {},
  link: {},
}
const OLDEST_NODE = 20
const PATH = `${process.env.PATH}:/usr/local/sbin:/usr/sbin:/sbin`
const LOCK = 'build/.prepare.lock'
const STAMP = 'build/.built'
const SOURCES = ['src', 'init', 'demo', 'bench', 'test']
const COMPILER = 'node_modules/typescript/bin/tsc'
/** Debian asks this program whether a package may start its services; 101 is no. */
const POLICY = '/usr/sbin/policy-rc.d'
const REFUSAL = '#!/bin/sh\n# underpass: while its test applications are installed\nexit 101\n'

function say(text) {
  process.stderr.write(`underpass: ${text}\n`)
}

class Failure extends Error {}

function fail(text) {
  throw new Failure(text)
}

function run(command, args, env = {}) {
  const stdio = ['ignore', 2, 2]
  const { status } = spawnSync(command, args, { stdio, env: { ...process.env, PATH, ...env } })
  return status === 0
}

function checkNode() {
  const major = Number(process.versions.node.split('.')[0])
  if (major >= OLDEST_NODE) return
  fail(`Node.js ${OLDEST_NODE} or newer is needed, and this is ${process.versions.node}.`)
}

function ageOf(file) {
  return existsSync(file) ? statSync(file).mtimeMs : 0
}

function installNpmPackages() {
  const installed = 'node_modules/.package-lock.json'
  if (existsSync(COMPILER) && ageOf(installed) >= ageOf('package-lock.json')) return
  say('installing npm packages (npm ci)')
  // Left out by NODE_ENV=production or an omit setting, the build would not be there.
  const flags = ['--include=dev', '--ignore-scripts', '--no-audit', '--no-fund']
  if (run('npm', ['ci', ...flags])) return
  fail(
    'npm ci failed, see above. It needs the npm registry: check the network, or a proxy in HTTPS_PROXY or .npmrc.',
  )
}

function build() {
  if (ageOf(STAMP) > newestSource()) return
  if (!run(process.execPath, [COMPILER])) fail('the build failed: see the type errors above')
  writeFileSync(STAMP, '')
  link()
}

function newestSource() {
  const files = SOURCES.filter((folder) => existsSync(folder)).flatMap((folder) =>
    readdirSync(folder, { recursive: true }).map((file) => join(folder, file)),
  )
  return Math.max(...[...files, 'tsconfig.json', 'package-lock.json'].map(ageOf))
}

/** What npm runs after an installation: the build, where its tools were installed. */
function buildIfPossible() {
  if (existsSync(COMPILER)) build()
  else say('not built: the compiler is a development dependency and was left out')
}

/** npx and npm link need the command to be executable, and tsc does not make it so. */
function link() {
  const { bin } = JSON.parse(readFileSync('package.json', 'utf8'))
  for (const file of Object.values(bin)) if (existsSync(file)) chmodSync(file, 0o755)
}

function hasTool(name) {
  return PATH.split(':').some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK)
      return folder !== ''
    } catch {
      return false
    }
  })
}

function installDebianPackages(needs) {
  if (process.platform !== 'linux') return
  const isRoot = process.getuid() === 0
  const missing = Object.entries(needs)
    .filter(([tool]) => !hasTool(tool))
    .filter(([tool]) => tool !== 'newuidmap' || !isRoot)
  const packages = [...new Set(missing.map(([, name]) => name))]
  if (packages.length === 0) return
  const tools = missing.map(([tool]) => tool).join(', ')
  if (!hasTool('apt-get')) {
    say(`missing: ${tools}. Install them with your system's package manager.`)
    return
  }
  const command = `apt-get install -y --no-install-recommends ${packages.join(' ')}`
  if (!isRoot) {
    say(`missing: ${tools}. As root: apt-get update && ${command}`)
    return
  }
  say(`installing Debian packages: ${packages.join(' ')} (their services are not started)`)
  if (withoutServices(() => install(packages))) return
  say(`not installed, see above; what needs ${tools} will say so. Later: ${command}`)
}

function install(packages) {
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  const wait = ['-o', 'DPkg::Lock::Timeout=300', '-q']
  run('apt-get', [...wait, 'update'], env)
  return run('apt-get', [...wait, 'install', '-y', '--no-install-recommends', ...packages], env)
}

/** The machine's own answer to whether services may start, if it has one, comes back afterwards. */
function withoutServices(task) {
  const found = existsSync(POLICY) ? readFileSync(POLICY, 'utf8') : REFUSAL
  const before = found === REFUSAL ? undefined : { text: found, mode: statSync(POLICY).mode }
  const restore = () => {
    rmSync(POLICY, { force: true })
    if (before !== undefined) writeFileSync(POLICY, before.text, { mode: before.mode })
  }
  // A signal must not end this process before the file is gone again; it reaches apt-get too, and ends that.
  const wait = () => undefined
  rmSync(POLICY, { force: true })
  writeFileSync(POLICY, REFUSAL, { mode: 0o755 })
  chmodSync(POLICY, 0o755)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, wait)
  try {
    return task()
  } finally {
    restore()
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.off(signal, wait)
  }
}

/** Runs `task` while no other process prepares this clone. A lock whose owner is gone is taken over. */
function alone(task) {
  let told = false
  while (!takeLock()) {
    if (!told) say('waiting for another process that prepares this clone')
    told = true
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
  }
  try {
    task()
  } finally {
    rmSync(LOCK, { force: true })
  }
}

function takeLock() {
  const own = `${LOCK}.${process.pid}`
  try {
    mkdirSync('build', { recursive: true })
    writeFileSync(own, String(process.pid))
  } catch (error) {
    fail(`this folder cannot be written to: ${error.message}`)
  }
  try {
    linkSync(own, LOCK)
    return true
  } catch {
    if (isAbandoned()) rmSync(LOCK, { force: true })
    return false
  } finally {
    rmSync(own, { force: true })
  }
}

function isAbandoned() {
  try {
    process.kill(Number(readFileSync(LOCK, 'utf8')), 0)
    return false
  } catch (error) {
    return error.code === 'ESRCH'
  }
}

function prepare(command) {
  if (command === 'link') {
    link()
    return
  }
  checkNode()
  if (command === 'installed') {
    buildIfPossible()
    return
  }
  alone(() => {
    installNpmPackages()
    installDebianPackages(NEEDS[command])
    build()
  })
}

const command = process.argv[2] ?? ''
const commands = [...Object.keys(NEEDS), 'installed']
try {
  process.chdir(join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '..'))
  if (!commands.includes(command)) fail(`usage: prepare.mjs ${commands.join('|')}`)
  prepare(command)
} catch (error) {
  if (!(error instanceof Failure)) throw error
  say(error.message)
  process.exitCode = 1
}
