// The configuration of nginx as a target: one worker, no access log, otherwise as it comes, but for what would make
// it do work at L7 that the others do not:
//
// - it speaks HTTP/1.0 to backends and closes every connection unless told otherwise, so keep-alive is switched on;
// - it gathers a whole request before it asks the backend, in a file if it is large, so that is off;
// - it writes answers to a file when the client is slower than the backend, so that is off. The buffers in memory
//   stay on: without them nginx reads and writes in turns, and pays more.

import type { Mode, Wires } from '../mode.ts'

const OWN_FILES = 100
const ENDLESS = 1_000_000_000

export interface NginxParts {
  /** The file of the stream module; undefined where it is built in or not needed. */
  readonly stream: string | undefined
  /** Modules with a folder for temporary files that is made at the start. */
  readonly temporary: readonly string[]
}

export function nginxConfig(
  mode: Mode,
  port: number,
  backend: number,
  files: number,
  parts: NginxParts,
  wires?: Wires,
): string {
  const load = parts.stream === undefined ? '' : `load_module ${parts.stream};\n`
  const protocol = wires?.client === 'http2' ? ' http2' : ''
  const listen = `listen 127.0.0.1:${port}${protocol} backlog=4096;`
  return `${load}daemon off;
worker_processes 1;
worker_rlimit_nofile ${files};
pid nginx.pid;
error_log stderr error;
events {
  worker_connections ${files - OWN_FILES};
}
${mode === 'l4' ? stream(listen, backend) : http(listen, backend, parts.temporary)}`
}

function stream(listen: string, backend: number): string {
  return `stream {
  server {
    ${listen}
    proxy_pass 127.0.0.1:${backend};
    proxy_connect_timeout 1s;
    proxy_timeout 1h;
  }
}
`
}

function http(listen: string, backend: number, temporary: readonly string[]): string {
  const folders = temporary.map((name) => `  ${name}_temp_path ${name};\n`).join('')
  return `http {
${folders}  access_log off;
  keepalive_requests ${ENDLESS};
  keepalive_timeout 1h;
  client_max_body_size 0;
  upstream backend {
    server 127.0.0.1:${backend};
    keepalive 128;
    keepalive_requests ${ENDLESS};
    keepalive_timeout 1h;
  }
  server {
    ${listen}
    location / {
      proxy_pass http://backend;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Connection "";
      proxy_request_buffering off;
      proxy_max_temp_file_size 0;
      proxy_connect_timeout 1s;
      proxy_read_timeout 1h;
      proxy_send_timeout 1h;
    }
  }
}
`
}
