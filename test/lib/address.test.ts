import t from 'tap'
import {
  formatAddress,
  isLoopback,
  isUnicast,
  isUnspecified,
  parseAddress,
  parseCidr,
  parseIp,
  readAddress,
  readIp,
  readUnicastIp,
} from '../../src/lib/address.ts'
import { Problems } from '../../src/lib/problems.ts'

t.test('address: one normal form for equal addresses', async (t) => {
  const cases: [string, string | undefined][] = [
    ['198.18.0.1', '198.18.0.1'],
    ['FD00:0:0::0001', 'fd00::1'],
    ['::ffff:198.18.0.1', '198.18.0.1'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['198.18.1', undefined],
    ['198.18.0.01', undefined],
    ['198.18.0.256', undefined],
    ['fe80::1%eth0', undefined],
    ['0x7f000001', undefined],
    ['localhost', undefined],
    ['', undefined],
  ]
  for (const [text, expected] of cases) t.equal(parseIp(text), expected, text)
})

t.test('address: with a port', async (t) => {
  t.same(parseAddress('127.0.0.1:80'), { ip: '127.0.0.1', port: 80 })
  t.same(parseAddress('[FD00::1]:65535'), { ip: 'fd00::1', port: 65535 })
  t.same(parseAddress('127.0.0.1:0', true), { ip: '127.0.0.1', port: 0 })
  const wrong = [
    '127.0.0.1',
    '127.0.0.1:0',
    '127.0.0.1:65536',
    'fd00::1:80',
    '[127.0.0.1:80',
    ':80',
  ]
  for (const text of [...wrong, '127.0.0.1:80 ', 'localhost:80', '127.0.0.1:http', '']) {
    t.equal(parseAddress(text), undefined, text)
  }
  t.equal(formatAddress('fd00::1', 80), '[fd00::1]:80')
  t.equal(formatAddress('127.0.0.1', 80), '127.0.0.1:80')
})

t.test('address: CIDRs', async (t) => {
  t.same(parseCidr('198.18.7.9/15'), { text: '198.18.0.0/15', family: 4 })
  t.same(parseCidr('fd00::1'), { text: 'fd00::1/128', family: 6 })
  t.same(parseCidr('0.0.0.0/0'), { text: '0.0.0.0/0', family: 4 })
  t.same(parseCidr('::ffff:198.18.7.9/111'), { text: '198.18.0.0/15', family: 4 })
  t.same(parseCidr('::FFFF:c612:709/128'), { text: '198.18.7.9/32', family: 4 })
  t.same(parseCidr('::ffff:198.18.7.9'), { text: '198.18.7.9/32', family: 4 })
  t.same(parseCidr('::ffff:0:0/96'), { text: '0.0.0.0/0', family: 4 })
  t.same(parseCidr('::ffff:198.18.7.9/95'), { text: '::fffe:0:0/95', family: 6 })
  t.same(parseCidr('::ffff:198.18.7.9/0'), { text: '::/0', family: 6 })
  for (const text of ['198.18.0.0/33', '198.18.0.0/', 'fd00::/129', '/8', '1/8', 'a/8', '::/-1']) {
    t.equal(parseCidr(text), undefined, text)
  }
})

t.test('address: kinds of addresses', async (t) => {
  t.same(['0.0.0.0', '::', '127.0.0.1'].map(isUnspecified), [true, true, false])
  t.same(['127.8.9.1', '::1', '198.18.0.1'].map(isLoopback), [true, true, false])
  t.same(['198.18.0.1', 'fd00::1', '127.0.0.1'].map(isUnicast), [true, true, true])
  t.same(['0.0.0.0', '::', '239.1.1.1', 'ff02::1', '255.255.255.255'].map(isUnicast), [
    false,
    false,
    false,
    false,
    false,
  ])
})

t.test('address: readers note what is wrong', async (t) => {
  const problems = new Problems()
  readIp('x', 'a', problems)
  readAddress(80, 'b', problems)
  t.equal(readUnicastIp('224.0.0.1', 'c', problems), '')
  t.equal(readUnicastIp('198.18.0.1', 'd', problems), '198.18.0.1')
  t.equal(
    problems.toString(),
    [
      'a: must be an IPv4 or IPv6 address, but found "x"',
      'b: must be an address like 127.0.0.1:15001 or [::1]:15001, but found 80',
      'c: must be the address of one host, but found "224.0.0.1"',
    ].join('\n'),
  )
})
