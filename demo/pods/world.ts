// A world of our own: private network, mount and process namespaces in which pods can be made.
//
// Everything that the demo and the tests make (network namespaces, bridges, rules, processes) lives inside, so the
// kernel itself takes all of it away when the first process of the world ends, however it ends. The machine's own
// network is never touched. Root needs nothing else; an ordinary user gets the same world through a user
// namespace. Worlds can be made inside worlds. Pods themselves are made in network.ts.

import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { run } from './child.ts'

const MARK = 'UNDERPASS_WORLD'
/** Where a world keeps the project while it opens the way to it. */
const PROJECT = '/run/underpass'
/** How long a world may take to end by itself, in milliseconds. */
const GRACE = 10_000

/** True in the processes of a world. The mark is the process id, outside, by which the world can be entered. */
export function insideWorld(): boolean {
  return process.env[MARK] !== undefined
}

/** The command that enters this world from outside, for people. */
export function enterCommand(): string {
  const user = isMapped() ? ['-U', '--preserve-credentials'] : []
  return ['nsenter', '-t', process.env[MARK] ?? '', ...user, '-m', '-n'].join(' ')
}

/** What keeps this machine from making a world, as a sentence that says what to do; undefined if nothing does. */
export function whyNoWorld(): string | undefined {
  if (process.platform !== 'linux') {
    return `Pods need Linux network namespaces, and this is ${process.platform}. Run it in a Linux machine or container: docker run --privileged -it -v "$PWD:/underpass" -w /underpass node:24 npm start`
  }
  const missing = ['unshare', 'ip', 'iptables', 'ip6tables', 'setpriv'].filter(
    (tool) => !findTool(tool),
  )
  if (missing.length > 0) {
    return `Missing: ${missing.join(', ')}. Run: sudo apt-get install -y iptables iproute2 util-linux uidmap (or your system's packages of these names)`
  }
  const probe = spawnSync('unshare', [...unshareFlags(), 'true'], {
    encoding: 'utf8',
    env: { ...process.env, PATH: searchPath() },
  })
  if (probe.status === 0) return undefined
  const reason = probe.stderr.trim().split('\n')[0] ?? ''
  return isRoot()
    ? `This root user may not make namespaces (${reason}). In a container, start it with --privileged.`
    : `This user may not make namespaces (${reason}). Either run it as root, or as root: ${unprivilegedAdvice()}`
}

/**
 * Runs `script` in a new world and gives its exit status. A signal ends the world: it is told first, and killed if
 * it takes too long or the signal comes again.
 */
export async function runInWorld(script: string, args: readonly string[]): Promise<number> {
  // The world is a session of its own, so that Ctrl-C reaches this process alone and not every program in every
  // pod at once; and it dies with this process, however this process dies.
  const inside = ['unshare', ...unshareFlags(), process.execPath, script, ...args]
  const die = ['setpriv', '--pdeathsig', 'KILL', '--']
  const mark = `export ${MARK}=$$; exec "$@"`
  const child = spawn('sh', ['-c', mark, 'sh', ...die, ...inside], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    detached: true,
    env: { ...process.env, PATH: searchPath() },
  })
  let kill: NodeJS.Timeout | undefined
  const end = (): void => {
    if (!child.connected) {
      child.kill('SIGKILL')
      return
    }
    child.disconnect()
    kill = setTimeout(() => child.kill('SIGKILL'), GRACE)
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, end)
  const stopWatching = watchRunner(end)
  return await new Promise<number>((resolve) => {
    child.once('exit', (code) => {
      stopWatching()
      clearTimeout(kill)
      resolve(code ?? 1)
    })
  })
}

/**
 * First thing inside a world: loopback up, a /run of its own, and `end` called when whoever made it wants it gone.
 *
 * The pods' users may look at the project and run Node.js, also where both are below a folder like /root that is
 * closed to them: in the world, an open folder with nothing but the project stands in for it. Paths stay the same.
 */
export async function settleWorld(end: () => void): Promise<void> {
  process.once('disconnect', end)
  process.channel?.unref()
  if (process.channel !== undefined && !process.connected) end()
  await run(['ip', 'link', 'set', 'lo', 'up'])
  await run(['mount', '-t', 'tmpfs', '-o', 'mode=755', 'none', '/run'])
  for (const folder of ['/run/netns', '/run/bin']) mkdirSync(folder)
  writeFileSync('/run/bin/node', '')
  await run(['mount', '--no-canonicalize', '--bind', `/proc/${process.pid}/exe`, '/run/bin/node'])
  process.execPath = '/run/bin/node'
  process.env['PATH'] = `/run/bin:${process.env['PATH'] ?? ''}`
  await openProject()
}

async function openProject(): Promise<void> {
  const project = process.cwd()
  const closed = ancestorsOf(project).find((folder) => (statSync(folder).mode & 0o001) === 0)
  if (closed === undefined) return
  mkdirSync(PROJECT)
  await run(['mount', '--rbind', project, PROJECT])
  await run(['mount', '-t', 'tmpfs', '-o', 'mode=755', 'none', closed])
  mkdirSync(project, { recursive: true, mode: 0o755 })
  await run(['mount', '--rbind', PROJECT, project])
  process.chdir(project)
}

/** The folders above one, from the root down. */
function ancestorsOf(path: string): string[] {
  const parent = dirname(path)
  return parent === path ? [] : [...ancestorsOf(parent), parent]
}

function unshareFlags(): string[] {
  const flags = ['--fork', '--pid', '--kill-child', '--mount-proc', '--net', '--mount']
  return isRoot() ? flags : ['--user', '--map-root-user', '--map-auto', ...flags]
}

function isMapped(): boolean {
  return !/^\s*0\s+0\s/.test(readFileSync('/proc/self/uid_map', 'utf8'))
}

function isRoot(): boolean {
  return process.getuid?.() === 0
}

function unprivilegedAdvice(): string {
  const user = process.env['USER'] ?? '$USER'
  const steps = ['apt-get install -y uidmap']
  if (readSetting('kernel/apparmor_restrict_unprivileged_userns') === '1') {
    steps.push('sysctl -w kernel.apparmor_restrict_unprivileged_userns=0')
  }
  if (readSetting('kernel/unprivileged_userns_clone') === '0') {
    steps.push('sysctl -w kernel.unprivileged_userns_clone=1')
  }
  steps.push(`usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${user}`)
  return steps.join(' && ')
}

function readSetting(name: string): string | undefined {
  const file = `/proc/sys/${name}`
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined
}

/** Calls `end` once the npm that started this process is gone: a killed npm leaves its children running. */
function watchRunner(end: () => void): () => void {
  const parent = process.ppid
  const isStartedByNpm = process.env['npm_lifecycle_event'] !== undefined
  // Between npm and this process is a shell, unless the shell made way.
  const throughShell = isStartedByNpm && !isNode(parent)
  const runner = throughShell ? parentOf(parent) : undefined
  if (!isStartedByNpm) return () => undefined
  const watch = setInterval(() => {
    if (process.ppid === parent && (!throughShell || parentOf(parent) === runner)) return
    clearInterval(watch)
    end()
  }, 300)
  return () => {
    clearInterval(watch)
  }
}

function isNode(pid: number): boolean {
  try {
    return basename(readlinkSync(`/proc/${pid}/exe`)).startsWith('node')
  } catch {
    return false
  }
}

function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  } catch {
    return undefined
  }
}

// An ordinary user's PATH often lacks the folders of ip and iptables.
function searchPath(): string {
  return `${process.env['PATH'] ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`
}

function findTool(name: string): boolean {
  return searchPath()
    .split(':')
    .some((folder) => folder !== '' && existsSync(`${folder}/${name}`))
}
