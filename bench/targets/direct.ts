// No proxy: what the clients and the backend can do by themselves.

import type { Target } from './target.ts'

export const direct: Target = {
  name: 'direct',
  missing: () => undefined,
  version: () => 'no proxy',
  carries: ({ client, server }) => client === server,
  start: async (_stage, backend) => await Promise.resolve({ port: backend, pid: undefined }),
}
