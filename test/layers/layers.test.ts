// The direction of imports: a table of which room may import which, and no file outside a room.

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import t from 'tap'

/** A room, and the rooms it may import besides itself. A room is the longest of these prefixes. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  'src/lib': [],
  'src/api': ['src/lib'],
  'src/identity': ['src/lib'],
  'src/proxy/net': ['src/lib', 'src/api'],
  'src/proxy/tls': ['src/lib', 'src/api', 'src/identity', 'src/proxy/net'],
  'src/proxy/http': ['src/lib', 'src/api', 'src/proxy/net'],
  'src/proxy/stack': ['src/lib', 'src/api', 'src/proxy/net', 'src/proxy/tls', 'src/proxy/http'],
  'src/proxy/route': ['src/lib', 'src/api', 'src/proxy/net', 'src/proxy/http', 'src/proxy/stack'],
  'src/proxy/balance': ['src/lib', 'src/api', 'src/proxy/net', 'src/proxy/http', 'src/proxy/stack'],
  'src/proxy/telemetry': [
    'src/lib',
    'src/api',
    'src/proxy/net',
    'src/proxy/http',
    'src/proxy/stack',
  ],
  'src/proxy/upstream': [
    'src/lib',
    'src/api',
    'src/proxy/net',
    'src/proxy/http',
    'src/proxy/stack',
  ],
  'src/proxy/downstream': [
    'src/lib',
    'src/api',
    'src/proxy/net',
    'src/proxy/http',
    'src/proxy/stack',
  ],
  'src/proxy/resilience': [
    'src/lib',
    'src/api',
    'src/proxy/net',
    'src/proxy/http',
    'src/proxy/stack',
  ],
  'src/proxy/discovery': [
    'src/lib',
    'src/api',
    'src/proxy/stack',
    'src/proxy/route',
    'src/proxy/resilience',
    'src/proxy/balance',
  ],
  'src/proxy/admin': [
    'src/lib',
    'src/api',
    'src/proxy/stack',
    'src/proxy/route',
    'src/proxy/telemetry',
    'src/proxy/discovery',
  ],
  'src/proxy': [
    'src/lib',
    'src/api',
    'src/identity',
    'src/proxy/net',
    'src/proxy/tls',
    'src/proxy/http',
    'src/proxy/stack',
    'src/proxy/route',
    'src/proxy/resilience',
    'src/proxy/balance',
    'src/proxy/upstream',
    'src/proxy/downstream',
    'src/proxy/telemetry',
    'src/proxy/discovery',
    'src/proxy/admin',
  ],
  'src/proxy/workers': [
    'src/proxy/stack',
    'src/lib',
    'src/proxy/net',
    'src/proxy/stack',
    'src/proxy/telemetry',
    'src/proxy/admin',
    'src/proxy',
  ],
  init: ['src/lib'],
  'src/cli': [
    'src/lib',
    'src/api',
    'src/proxy',
    'src/proxy/net',
    'src/proxy/telemetry',
    'src/proxy/workers',
    'init',
  ],
  demo: ['src/lib'],
  bench: ['src/lib', 'src/proxy/http', 'demo'],
  // Runs the data plane's own stages, without its sockets.
  'bench/simulate': [
    'src/lib',
    'src/api',
    'src/proxy',
    'src/proxy/net',
    'src/proxy/http',
    'src/proxy/stack',
    'src/proxy/resilience',
    'src/proxy/upstream',
    'src/proxy/discovery',
    'bench',
  ],
}
const TOP = ['src', 'init', 'demo', 'bench']

interface Import {
  readonly from: string
  readonly to: string
}

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(folder, file))
}

function roomOf(file: string): string | undefined {
  return Object.keys(ROOMS)
    .filter((room) => file.startsWith(`${room}/`))
    .sort((a, b) => b.length - a.length)[0]
}

function importsOf(file: string): Import[] {
  const text = readFileSync(file, 'utf8')
  return [...text.matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map(([, path = '']) => ({
    from: file,
    to: normalize(join(dirname(file), path)),
  }))
}

const files = TOP.flatMap(sources)
const imports = files.flatMap(importsOf)

t.test('layers: every source file is in a room', async (t) => {
  t.ok(files.length > 0, 'there are files to look at')
  t.same(
    files.filter((file) => roomOf(file) === undefined),
    [],
  )
})

t.test('layers: imports point one way', async (t) => {
  t.ok(imports.length > 0, 'there are imports to look at')
  const wrong = imports.filter(({ from, to }) => {
    const room = roomOf(from) ?? ''
    const target = roomOf(to) ?? ''
    return room !== target && ROOMS[room]?.includes(target) !== true
  })
  t.same(
    wrong.map(({ from, to }) => `${from} imports ${to}`),
    [],
  )
})

t.test('layers: no barrels and no file over 400 lines', async (t) => {
  t.same(
    files.filter((file) => file.endsWith('/index.ts')),
    [],
  )
  t.same(
    files.filter((file) => readFileSync(file, 'utf8').split('\n').length > 401),
    [],
  )
})

t.test('layers: every source file opens by saying what it is', async (t) => {
  const silent = files.filter((file) => !/^(#!.*\n)?\/\/ .+\n/.test(readFileSync(file, 'utf8')))
  t.same(silent, [])
})
