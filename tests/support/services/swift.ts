import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { findProgram } from './find-program.ts';
import { freePorts, type Service, startService } from './service.ts';
import { proxyConfig, type Server, serverConfig, swiftConfig } from './swift-configs.ts';

const run = promisify(execFile);

/** What must be installed. */
export const SWIFT_PROGRAMS = [
  'swift-proxy-server',
  'swift-account-server',
  'swift-container-server',
  'swift-object-server',
  'swift-ring-builder',
  'memcached',
] as const;
export const SWIFT_PACKAGES = 'swift-proxy swift-account swift-container swift-object memcached';

/** Debian's own: Swift is installed for it, and another one may come first in the path. */
const PYTHON = '/usr/bin/python3';

/** As Debian's scripts, but with a `swift.conf` that is not in /etc. */
const LAUNCHER = `
import importlib, sys
from swift.common import storage_policy, utils
folder, conf, server = sys.argv[1:]
utils.set_swift_dir(folder)
storage_policy.reload_storage_policies()
from swift.common.wsgi import run_wsgi
options = {}
if server == 'object-server':
    options['global_conf_callback'] = importlib.import_module('swift.obj.server').global_conf_callback
sys.exit(run_wsgi(conf, server, **options))
`;

/** One running OpenStack Swift with its S3 API, all of it on loopback and in one folder. */
export interface Swift {
  endpoint: string;
  accessKeyId: string;
  secretAccessKey: string;
  region: string;
  /** What answers S3: the part that may be killed. */
  proxy: Service;
  /** The same on the same port, after it was killed. */
  restartProxy(): Promise<void>;
  stop(): Promise<void>;
}

/** @param folder empty, on a file system with extended attributes: see {@link keepsAttributes} */
export async function startSwift(folder: string): Promise<Swift> {
  const [account, container, object, proxy, memcached] = (await freePorts(5)) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const user = userInfo().username;
  const ports = { account, container, object };
  await mkdir(path.join(folder, 'devices', 'disk'), { recursive: true });
  await writeFile(path.join(folder, 'launch.py'), LAUNCHER);
  await writeFile(path.join(folder, 'swift.conf'), swiftConfig());
  await writeFile(path.join(folder, 'proxy.conf'), proxyConfig({ folder, user, port: proxy, memcached }));
  for (const [name, port] of Object.entries(ports) as [Server, number][]) {
    await writeFile(path.join(folder, `${name}.conf`), serverConfig(name, { folder, user, port }));
    await buildRing(folder, name, port);
  }

  const running: Service[] = [];
  const launch = (name: Server | 'proxy', port: number) =>
    startService(
      'env',
      [PYTHON, path.join(folder, 'launch.py'), folder, path.join(folder, `${name}.conf`), `${name}-server`],
      () => answers(port),
    );
  const stop = async () => {
    await Promise.all(running.map((service) => service.stop()));
  };
  const starting = [
    startService('memcached', ['-l', '127.0.0.1', '-p', String(memcached), '-u', user, '-m', '32'], () =>
      answers(memcached),
    ),
    ...Object.entries(ports).map(([name, port]) => launch(name as Server, port)),
    launch('proxy', proxy),
  ];
  for (const result of await Promise.allSettled(starting))
    if (result.status === 'fulfilled') running.push(result.value);
  if (running.length < starting.length) {
    await stop();
    await Promise.all(starting);
  }
  const swift: Swift = {
    endpoint: `http://127.0.0.1:${proxy}`,
    accessKeyId: 'test:tester',
    secretAccessKey: 'testing-secret',
    region: 'us-east-1',
    proxy: running.at(-1)!,
    async restartProxy() {
      await swift.proxy.stop();
      swift.proxy = await launch('proxy', proxy);
      running.push(swift.proxy);
    },
    stop,
  };
  return swift;
}

/** Where Swift can keep its files: it notes what they are in extended attributes, which not every file system has. */
export async function parentForSwift(): Promise<string> {
  for (const folder of [tmpdir(), '/var/tmp', process.cwd()])
    if (await keepsAttributes(folder)) return folder;
  throw new Error('no folder with extended attributes was found');
}

async function keepsAttributes(folder: string): Promise<boolean> {
  const script =
    'import os,sys,tempfile\nwith tempfile.NamedTemporaryFile(dir=sys.argv[1]) as f: os.setxattr(f.name, "user.t", b"1")';
  return run(PYTHON, ['-c', script, folder]).then(
    () => true,
    () => false,
  );
}

async function buildRing(folder: string, name: Server, port: number): Promise<void> {
  const builder = findProgram('swift-ring-builder')!;
  const file = path.join(folder, `${name}.builder`);
  // 2^4 partitions, one copy, no wait between changes.
  await run(builder, [file, 'create', '4', '1', '0']);
  await run(builder, [file, 'add', `r1z1-127.0.0.1:${port}/disk`, '1']);
  await run(builder, [file, 'rebalance']);
}

async function answers(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(port, '127.0.0.1');
  socket.once('connect', () => resolve(true));
  socket.once('error', () => resolve(false));
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}
