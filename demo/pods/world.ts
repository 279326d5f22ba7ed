// A world of our own: private network, mount and process namespaces in which pods can be made.
//
// Everything that the demo and the tests make (network namespaces, bridges, rules, processes) lives inside, so the
// kernel itself takes all of it away when the first process of the world ends, however it ends. The machine's own
// network is never touched. Root needs nothing else; an ordinary user gets the same world through a user
// namespace. Pods themselves are made in network.ts.

import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { run } from './child.ts'

const MARK = 'UNDERPASS_WORLD'

export function insideWorld(): boolean {
  return process.env[MARK] === '1'
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
  const probe = spawnSync('unshare', [...unshareFlags(), 'true'], { encoding: 'utf8' })
  if (probe.status === 0) return undefined
  return isRoot()
    ? `This root user may not make namespaces (${probe.stderr.trim()}). In a container, start it with --privileged.`
    : `User namespaces are not available to this user (${probe.stderr.trim()}). Either run it as root (sudo), or: sudo apt-get install -y uidmap && sudo sysctl -w kernel.unprivileged_userns_clone=1, and give the user a line in /etc/subuid and /etc/subgid (sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${process.env['USER'] ?? '$USER'})`
}

/** Runs `script` in a new world and gives its exit status. Ends the world when this process is told to end. */
export async function runInWorld(script: string, args: readonly string[]): Promise<number> {
  const child = spawn('unshare', [...unshareFlags(), process.execPath, script, ...args], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, [MARK]: '1', PATH: searchPath() },
  })
  // Closing the channel is the one message that always arrives, also when this process is killed.
  const end = (): void => {
    if (child.connected) child.disconnect()
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, end)
  const watch = setInterval(() => {
    if (ancestors.some((pid) => !existsSync(`/proc/${pid}`))) end()
  }, 500)
  const ancestors = npmAncestors()
  return await new Promise<number>((resolve) => {
    child.once('exit', (code, signal) => {
      clearInterval(watch)
      resolve(signal === null ? (code ?? 1) : 1)
    })
  })
}

/** First thing inside a world: loopback up, private /run, and `end` called when whoever made it goes away. */
export async function settleWorld(end: () => void): Promise<void> {
  process.once('disconnect', end)
  process.channel?.unref()
  await run(['ip', 'link', 'set', 'lo', 'up'])
  await run(['mount', '-t', 'tmpfs', 'none', '/run'])
  await run(['mkdir', '-p', '/run/netns'])
}

function unshareFlags(): string[] {
  const flags = ['--fork', '--pid', '--kill-child', '--mount-proc', '--net', '--mount']
  return isRoot() ? flags : ['--user', '--map-root-user', '--map-auto', ...flags]
}

function isRoot(): boolean {
  return process.getuid?.() === 0
}

// A killed npm leaves its children running; the world ends with the npm that asked for it.
function npmAncestors(): number[] {
  if (process.env['npm_lifecycle_event'] === undefined) return []
  const shell = process.ppid
  const stat = readFileSync(`/proc/${shell}/stat`, 'utf8')
  const npm = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  return npm > 1 ? [shell, npm] : [shell]
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
