// The three requests that the parser benchmark reads: a small API call, a browser with 2 KB of cookies, 40 fields.

const CRLF = '\r\n'

function request(lines: readonly string[]): Buffer {
  return Buffer.from(`${lines.join(CRLF)}${CRLF}${CRLF}`, 'latin1')
}

const API = request([
  'GET /api/v1/reviews/4711?limit=10 HTTP/1.1',
  'Host: reviews.default.svc.cluster.local:9080',
  'Accept: application/json',
  'User-Agent: product-page/1.4.2',
  'Accept-Encoding: gzip',
  'traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  'x-request-id: 6a2d9d3e-6a54-4b35-9d0c-6f1a0a6d7c11',
])

function cookies(bytes: number): string {
  let text = ''
  for (let i = 0; text.length < bytes; i++) {
    text += `${i === 0 ? '' : '; '}_c${i}=${'GA1.2.1803422918.1697040000-abcdefXYZ'.repeat(1 + (i % 3))}`
  }
  return text.slice(0, bytes)
}

const BROWSER = request([
  'GET /catalogue/shoes/running?colour=blue&size=43&sort=price&page=2 HTTP/1.1',
  'Host: www.shop.example',
  'Connection: keep-alive',
  'Cache-Control: max-age=0',
  'sec-ch-ua: "Chromium";v="130", "Google Chrome";v="130", "Not?A_Brand";v="99"',
  'sec-ch-ua-mobile: ?0',
  'sec-ch-ua-platform: "Linux"',
  'Upgrade-Insecure-Requests: 1',
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36',
  'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8',
  'Sec-Fetch-Site: same-origin',
  'Sec-Fetch-Mode: navigate',
  'Sec-Fetch-User: ?1',
  'Sec-Fetch-Dest: document',
  'Referer: https://www.shop.example/catalogue/shoes',
  'Accept-Encoding: gzip, deflate, br, zstd',
  'Accept-Language: en-GB,en;q=0.9,de;q=0.8',
  `Cookie: ${cookies(2048)}`,
])

const FORTY = request([
  'POST /orders/checkout HTTP/1.1',
  'Host: orders.shop.svc.cluster.local',
  'Content-Length: 0',
  'Content-Type: application/json; charset=utf-8',
  'Authorization: Bearer eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.c2lnbmF0dXJl',
  'traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  'x-request-id: 6a2d9d3e-6a54-4b35-9d0c-6f1a0a6d7c11',
  'x-forwarded-for: 198.18.4.7, 198.18.0.1',
  'x-forwarded-proto: https',
  'Connection: keep-alive',
  ...Array.from(
    { length: 31 },
    (_, i) => `X-Shop-Attribute-${i}: value-${i * 7919}-of-this-attribute`,
  ),
])

export const HEADS: Readonly<Record<string, Buffer>> = {
  'small API call': API,
  'browser, 2 KB of cookies': BROWSER,
  '40 fields': FORTY,
}
