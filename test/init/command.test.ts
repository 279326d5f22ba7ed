// `underpass init` as a command: help, dry run and refused options, none of which needs any right.

import t from 'tap'
import { Child, type Finished } from '../../demo/pods/child.ts'
import { FLAGS } from '../../init/options.ts'

async function init(flags: readonly string[], env: Record<string, string> = {}): Promise<Finished> {
  return await new Child(['node', 'build/src/cli/main.js', 'init', ...flags], env).finish()
}

t.test('command: the help names every flag, its default, and the exit statuses', async (t) => {
  const { code, stdout } = await init(['--help'])
  t.equal(code, 0)
  const text = stdout.replaceAll(/\s+/g, ' ')
  for (const { name, value, fallback } of FLAGS) {
    t.ok(text.includes(`--${name} ${value}`), name)
    t.ok(text.includes(`(default: ${fallback === '' ? 'none' : fallback})`), `default of ${name}`)
  }
  t.match(text, /Exit status: 0 done; 1 .* 2 .* 126 /)
})

t.test('command: a dry run prints what the flags and the environment say', async (t) => {
  const { code, stdout } = await init(['--outbound-port', '16001'], {
    UNDERPASS_INIT_IPV6: 'off',
    UNDERPASS_INIT_DRY_RUN: 'true',
  })
  t.equal(code, 0)
  t.match(stdout, /^# iptables-restore --noflush\n\*nat\n/)
  t.match(stdout, /--to-ports 16001\n/)
  t.notMatch(stdout, /ip6tables/)
})

t.test('command: empty variables count as absent', async (t) => {
  const { code, stdout, stderr } = await init([], {
    UNDERPASS_INIT_VERIFY: '',
    UNDERPASS_INIT_CLEANUP: '',
    UNDERPASS_INIT_DRY_RUN: 'true',
  })
  t.equal(code, 0, stderr)
  t.match(stdout, /^# iptables-restore --noflush\n/)
})

t.test('command: refused options end with 2 and are all named', async (t) => {
  const { code, stdout, stderr } = await init(['--outbound-port', 'x', '--proxy-uid', '-1'], {
    UNDERPASS_INIT_CLEANUP: 'perhaps',
  })
  t.equal(code, 2)
  t.equal(stdout, '')
  t.match(stderr, /--outbound-port: .*found "x"/)
  t.match(stderr, /--proxy-uid: .*found "-1"/)
  t.match(stderr, /UNDERPASS_INIT_CLEANUP: .*found "perhaps"/)
})

t.test('command: an unknown flag ends with 2', async (t) => {
  const { code, stderr } = await init(['--outbound-prot', '1'])
  t.equal(code, 2)
  t.match(stderr, /unknown option '--outbound-prot'/)
})
