// Node's own HTTP/2, in a proxy of a few lines: what there is without a codec of one's own.

import type { Target } from './target.ts'

const ENTRY = new URL('./node-http2-proxy.js', import.meta.url).pathname
const LISTENING = /^listening (\d+)$/m

export const nodeHttp2: Target = {
  name: 'node:http2',
  missing: () => undefined,
  version: () => `nghttp2 ${process.versions['nghttp2'] ?? 'unknown'}`,
  carries: ({ client, server }) => client === 'http2' && server === 'http2',
  async start(stage, backend) {
    const child = stage.start('proxy', [process.execPath, ENTRY, String(backend)])
    await child.prints(LISTENING)
    return { port: Number(LISTENING.exec(child.stdout)?.[1]), pid: child.pid }
  },
}
