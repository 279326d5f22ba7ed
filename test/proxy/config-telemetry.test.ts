// The settings of logs and traces.

import t from 'tap'
import { Problems } from '../../src/lib/problems.ts'
import { readSettings } from '../../src/proxy/config.ts'
import type { Environment } from '../../src/proxy/config-sources.ts'
import type { Settings } from '../../src/proxy/settings.ts'

const SOME = 'outbound: { transparent: 127.0.0.1:15001 }\n'

function read(text: string, env: Environment = {}): { settings: Settings; problems: string[] } {
  const problems = new Problems()
  const settings = readSettings({ name: 'proxy.yaml', text }, env, problems)
  return { settings, problems: problems.any ? problems.toString().split('\n') : [] }
}

/** A text, the environment, the path of the problem and a part of its message. */
type Case = readonly [text: string, env: Environment, problem: readonly [string, string]]

t.test('config: what is refused of logs and traces', async (t) => {
  const url = 'must be a URL like http://127.0.0.1:4318'
  const tracing = (text: string): string => `${SOME}tracing: { ${text} }`
  const cases: readonly Case[] = [
    [`${SOME}workload: Web`, {}, ['.workload', 'must be the name of a Service']],
    [`${SOME}accessLog: true`, {}, ['.accessLog', 'must be one of off, json']],
    [tracing('endpoint: "127.0.0.1:4318"'), {}, ['.tracing.endpoint', url]],
    [tracing('endpoint: "grpc://127.0.0.1:4317"'), {}, ['.tracing.endpoint', url]],
    [tracing('endpoint: 4318'), {}, ['.tracing.endpoint', url]],
    [tracing('endpoint: "http://a?b=c"'), {}, ['.tracing.endpoint', 'no query']],
    [tracing('sample: 2'), {}, ['.tracing.sample', 'must be a number from 0 to 1, but found 2']],
    [SOME, { UNDERPASS_TRACING_SAMPLE: '1%' }, ['UNDERPASS_TRACING_SAMPLE', 'from 0 to 1']],
  ]
  for (const [text, env, [path, says]] of cases) {
    const [problem = '', ...more] = read(text, env).problems
    t.ok(problem.startsWith(`${path.replace(/^\./, 'proxy.yaml ')}: `), problem)
    t.match(problem, says)
    t.same(more, [])
  }
  const { problems } = read(tracing('endpoint: "http://me:sesame@a"'))
  t.match(problems, [/must not have a password/])
  t.notMatch(problems.join(), 'sesame')
  const endpoint = (text: string): string | undefined =>
    read(tracing(`endpoint: "${text}"`)).settings.tracing.endpoint
  t.equal(endpoint('https://a.example/otlp/'), 'https://a.example/otlp/v1/traces')
  t.equal(endpoint('http://[::1]:4318/v1/traces'), 'http://[::1]:4318/v1/traces')
  t.equal(read(`${SOME}workload: web`).settings.workload, 'web.default')
})
