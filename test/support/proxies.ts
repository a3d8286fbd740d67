/**
 * HAProxy and nginx, as they are put in front of a server: with one kept connection to it, over which all clients'
 * requests go one after the other. They listen on a Unix socket, so that no port has to be guessed.
 */
import { writeFile } from 'node:fs/promises'
import net from 'node:net'
import { join } from 'node:path'
import { eventually } from './eventually.js'
import { run } from './programs.js'
import { temporaryFolder } from './wire.js'

export interface RunningProxy {
  /** The Unix socket that it listens on. */
  readonly path: string
}

export type ProxyName = 'haproxy' | 'nginx'

/** Starts a proxy in front of `127.0.0.1:port`; it is killed when the test is over. */
export async function startProxy(name: ProxyName, port: number): Promise<RunningProxy> {
  const folder = await temporaryFolder()
  const path = join(folder, 'front')
  const config = join(folder, 'config')
  await writeFile(
    config,
    name === 'haproxy' ? haproxyConfig(path, port) : nginxConfig(folder, path, port),
  )
  const args =
    name === 'haproxy' ? ['-db', '-f', config] : ['-p', folder, '-c', config, '-e', 'stderr']
  const proxy = run(name, args)
  let hasEnded = false
  void proxy.ended.then(() => {
    hasEnded = true
  })
  await eventually(
    async () => {
      if (hasEnded) throw new Error(`${name} has ended: ${proxy.stderr()}`)
      await connects(path)
    },
    { timeoutMs: 10_000, what: `${name} listens` },
  )
  return { path }
}

async function connects(path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const socket = net.connect({ path })
    socket.on('connect', () => {
      socket.destroy()
      resolve()
    })
    socket.on('error', reject)
  })
}

function haproxyConfig(path: string, port: number): string {
  return `global
  maxconn 64
defaults
  mode http
  option http-keep-alive
  http-reuse always
  timeout connect 2s
  timeout client 2s
  timeout server 2s
  timeout http-request 1s
frontend front
  bind unix@${path}
  default_backend back
backend back
  server app 127.0.0.1:${port} maxconn 1
`
}

function nginxConfig(folder: string, path: string, port: number): string {
  const user = process.getuid?.() === 0 ? 'user root;\n' : ''
  return `${user}daemon off;
master_process off;
pid ${join(folder, 'pid')};
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path ${join(folder, 'body')};
  proxy_temp_path ${join(folder, 'proxy')};
  fastcgi_temp_path ${join(folder, 'fastcgi')};
  uwsgi_temp_path ${join(folder, 'uwsgi')};
  scgi_temp_path ${join(folder, 'scgi')};
  client_header_timeout 1s;
  client_body_timeout 1s;
  upstream app { server 127.0.0.1:${port}; keepalive 1; }
  server {
    listen unix:${path};
    location / {
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_request_buffering off;
      proxy_buffering off;
      proxy_ignore_client_abort on;
      proxy_read_timeout 2s;
      proxy_pass http://app;
    }
  }
}
`
}
