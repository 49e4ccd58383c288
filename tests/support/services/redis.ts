import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll } from 'vitest';
import { temporaryFolder } from '../../storage/support/folders.ts';
import { findProgram } from './find-program.ts';
import { freePorts, type Service, startService } from './service.ts';

export const REDIS_PROGRAMS = ['redis-server', 'redis-cli', 'redis-sentinel', 'openssl'];
export const REDIS_PACKAGES = 'redis-server redis-sentinel redis-tools openssl';

const run = promisify(execFile);
const started: Service[] = [];
afterAll(async () => {
  await Promise.all(started.splice(0).map((service) => service.stop()));
});

export interface RedisServer extends Service {
  port: number;
  /** What redis-cli prints. */
  cli(...args: string[]): Promise<string>;
  /** The same again on the same port, after it was stopped; with other arguments where they are given. */
  again(args?: readonly string[]): Promise<RedisServer>;
}

interface Start {
  args?: readonly string[];
  /** Before the command of redis-cli, as `-a password`. */
  cliArgs?: readonly string[];
  port?: number;
  /** Where a node of a cluster finds who it is. */
  folder?: string;
}

/** A server without persistence, stopped when the test file ends. */
export async function startRedis({ args = [], cliArgs = [], ...given }: Start = {}): Promise<RedisServer> {
  const at = given.port ?? (await freePorts(1))[0]!;
  const folder = given.folder ?? (await temporaryFolder());
  const own = ['--port', `${at}`, '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no'];
  const service = await startService('redis-server', [...own, ...args], () => answers(at));
  started.push(service);
  return {
    ...service,
    port: at,
    cli: (...command) => redisCli(at, [...cliArgs, ...command]),
    again: (other = args) => startRedis({ args: other, cliArgs, port: at, folder }),
  };
}

async function redisCli(port: number, args: readonly string[]): Promise<string> {
  const { stdout } = await run(findProgram('redis-cli') ?? 'redis-cli', ['-p', `${port}`, ...args]);
  return stdout.trim();
}

/** Three masters with all slots between them, each with a replica where asked for. */
export async function startRedisCluster(replicas = 0): Promise<RedisServer[]> {
  const count = 3 * (1 + replicas);
  const ports = await freePorts(2 * count);
  const nodes = await Promise.all(
    ports.slice(0, count).map((port, i) => {
      const bus = ['--cluster-enabled', 'yes', '--cluster-port', `${ports[count + i]}`];
      const args = [...bus, '--cluster-node-timeout', '2000', '--cluster-require-full-coverage', 'no'];
      return startRedis({ port, args });
    }),
  );
  const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`);
  const options = ['--cluster-replicas', `${replicas}`, '--cluster-yes'];
  await redisCli(nodes[0]!.port, ['--cluster', 'create', ...addresses, ...options]);
  for (const node of nodes)
    await until(async () => (await node.cli('CLUSTER', 'INFO')).includes('cluster_state:ok'));
  // One that has nothing of its master yet does not take its place.
  for (const node of nodes.slice(3))
    await until(async () => (await node.cli('ROLE')).includes('\nconnected\n'));
  return nodes;
}

interface Watched {
  master: RedisServer;
  replica: RedisServer;
  /** The port of the sentinel, whose password is `sentinel-secret`. */
  sentinel: number;
  /** What redis-cli prints of the sentinel. */
  ask(...args: string[]): Promise<string>;
}

/** A master, a replica of it, and a sentinel that watches them under the name `pages`. */
export async function startSentinel(): Promise<Watched> {
  const master = await startRedis();
  const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', `${master.port}`] });
  const [port] = await freePorts(1);
  const file = path.join(await temporaryFolder(), 'sentinel.conf');
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `sentinel monitor pages 127.0.0.1 ${master.port} 1`,
    'sentinel down-after-milliseconds pages 1000',
    'sentinel failover-timeout pages 2000',
    'requirepass "sentinel-secret"',
  ];
  await writeFile(file, lines.join('\n'));
  started.push(await startService('redis-sentinel', [file], () => answers(port!)));
  const ask = (...args: string[]) => redisCli(port!, ['--no-auth-warning', '-a', 'sentinel-secret', ...args]);
  await until(async () => (await ask('SENTINEL', 'REPLICAS', 'pages')).includes(`${replica.port}`));
  return { master, replica, sentinel: port!, ask };
}

interface Certificates {
  ca: string;
  cert: string;
  key: string;
  /** Signed by nobody that anybody trusts. */
  otherCa: string;
}

/** Files of a new authority and of a certificate for `localhost` that it signed. */
export async function makeCertificates(): Promise<Certificates> {
  const folder = await temporaryFolder();
  const at = (name: string) => path.join(folder, name);
  const openssl = (...args: string[]) => run(findProgram('openssl') ?? 'openssl', args);
  const authority = async (name: string) => {
    const files = ['-keyout', at(`${name}.key`), '-out', at(`${name}.pem`)];
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    await openssl('req', '-x509', ...curve, ...files, '-subj', `/CN=${name}`, '-days', '2');
  };
  await authority('ca');
  await authority('other');
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  await openssl('req', ...curve, '-keyout', at('key.pem'), '-out', at('request'), '-subj', '/CN=localhost');
  await writeFile(at('extensions'), 'subjectAltName=DNS:localhost');
  const signing = [
    '-CA',
    at('ca.pem'),
    '-CAkey',
    at('ca.key'),
    '-CAcreateserial',
    '-extfile',
    at('extensions'),
  ];
  await openssl('x509', '-req', '-in', at('request'), ...signing, '-out', at('cert.pem'), '-days', '2');
  return { ca: at('ca.pem'), cert: at('cert.pem'), key: at('key.pem'), otherCa: at('other.pem') };
}

/** Asks again and again, for as long as a test may take. A server that changes its role closes connections meanwhile. */
export async function until(isTrue: () => Promise<boolean>): Promise<void> {
  const late = AbortSignal.timeout(60_000);
  while (!(await isTrue().catch(() => false))) {
    late.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Whether a server has loaded its data; that it wants a password is an answer too. */
async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  try {
    await once(socket, 'connect');
    socket.write('PING\r\n');
    const [data] = await once(socket, 'data');
    return !String(data).startsWith('-LOADING');
  } finally {
    socket.destroy();
  }
}
