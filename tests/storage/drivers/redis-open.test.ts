import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeAll, expect, test } from 'vitest';
import type { StorageDriver } from '../../../src/storage/driver.ts';
import { createDriver } from '../../../src/storage/factory.ts';
import { fakeRedis, GREETING } from '../../support/services/fake-redis.ts';
import { describeWith } from '../../support/services/programs.ts';
import {
  makeCertificates,
  REDIS_PACKAGES,
  REDIS_PROGRAMS,
  type RedisServer,
  startRedis,
  startRedisCluster,
  startSentinel,
} from '../../support/services/redis.ts';
import { freePorts } from '../../support/services/service.ts';
import { never, read, write } from '../support/calls.ts';
import { temporaryFolder } from '../support/folders.ts';

const PASSWORD = 'correct-horse-battery';
const WRONG = 'wrong-horse-battery';

const opened: StorageDriver[] = [];
afterEach(async () => {
  for (const driver of opened.splice(0)) await driver.close();
});

function make(options: object): StorageDriver {
  const driver = createDriver('redis', options);
  opened.push(driver);
  return driver;
}

async function reason(options: object): Promise<string> {
  const driver = make(options);
  const error = await driver.open(never).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ code: 'storage_failed' });
  const { message, cause, stack } = error as Error;
  for (const text of [message, String(cause), (cause as Error).stack, stack]) {
    expect(text).not.toContain(PASSWORD);
    expect(text).not.toContain(WRONG);
  }
  return message.replace("Storage backend 'redis': ", '');
}

async function works(options: object): Promise<void> {
  const driver = make(options);
  await driver.open(never);
  expect(await write(driver, 'a', Buffer.from('value'))).toEqual({ status: 'stored' });
  expect((await read(driver, 'a')).value?.toString()).toBe('value');
}

test.each<[string, (port: number) => object]>([
  ["refuses connections: check 'host' and 'port'", (port) => ({ port })],
  ["refuses connections: check 'url'", (port) => ({ url: `redis://u:${PASSWORD}@127.0.0.1:${port}` })],
  ["refuses connections: check 'cluster'", (port) => ({ cluster: [`127.0.0.1:${port}`] })],
  [
    "refuses connections: check 'sentinel.nodes'",
    (port) => ({ sentinel: { name: 'm', nodes: [`127.0.0.1:${port}`] } }),
  ],
])('where nobody listens: %s', async (expected, options) => {
  const [port] = await freePorts(1);
  expect(await reason(options(port!))).toContain(expected);
});

test('a name that is not known, and a socket that is not there', async () => {
  expect(await reason({ host: 'nowhere.invalid' })).toContain(
    "not known to the name service: check 'host' and 'port'",
  );
  expect(await reason({ url: 'unix:///nowhere/redis.sock' })).toContain(
    "/nowhere/redis.sock is no socket: check 'url'",
  );
});

test.each<[string, string, ReturnType<typeof reply>]>([
  ['an HTTP server', 'is not a Redis server', reply('HTTP/1.1 400 Bad Request\r\n\r\n')],
  [
    'one that is loading',
    'still loading',
    reply(GREETING, '-LOADING Redis is loading the dataset in memory\r\n'),
  ],
  ['one in protected mode', 'protected mode', reply('-DENIED Redis is running in protected mode\r\n')],
  [
    'one that cannot save',
    'cannot save to its disk',
    reply(GREETING, '-MISCONF Redis is configured to save\r\n'),
  ],
  ['a cluster that is down', 'cluster is down', reply(GREETING, '-CLUSTERDOWN Hash slot not served\r\n')],
  ['one with too many clients', 'maxclients', reply('-ERR max number of clients reached\r\n')],
  ['one that repeats what it was sent', 'answered ERR', reply(GREETING, `-ERR bad '${WRONG}'\r\n`)],
  ['an old one', 'has version 5.0.7, and version 6 or later', old],
])('what is no server to use is refused: %s', async (_name, expected, answer) => {
  expect(await reason({ port: await fakeRedis(answer) })).toContain(expected);
});

function reply(toHello: string, toOthers = toHello) {
  return ([name]: string[]): string | undefined => (name === 'HELLO' ? toHello : toOthers);
}

function old([name]: string[]): string | undefined {
  if (name === 'HELLO') return '-ERR unknown command `HELLO`, with args beginning with: \r\n';
  return '$21\r\nredis_version:5.0.7\r\n\r\n';
}

test('a server that closes every connection, and one that never answers, are refused in time', async () => {
  const closing = await fakeRedis(
    () => undefined,
    (socket) => socket.destroy(),
  );
  expect(await reason({ port: closing })).toMatch(
    /closed the connection at once: check .*'tls'.*protected-mode/,
  );
  const silent = await fakeRedis(() => undefined);
  expect(await reason({ port: silent })).toContain(
    "there was no answer within 4 s: check 'host' and 'port', and 'tls'",
  );
  const asleep = await fakeRedis(([name]) => (name === 'HELLO' ? GREETING : undefined));
  expect(await reason({ port: asleep })).toContain('there was no answer within 4 s');
});

test('a signal ends opening, and so does closing, at once or twice', async () => {
  const port = await fakeRedis(() => undefined);
  const aborted = make({ port });
  const aborting = new AbortController();
  const opening = aborted.open(aborting.signal);
  aborting.abort();
  await expect(opening).rejects.toMatchObject({ message: expect.stringContaining('The call was aborted.') });
  for (const options of [
    { port },
    { cluster: [`127.0.0.1:${port}`] },
    { sentinel: { name: 'm', nodes: [`127.0.0.1:${port}`] } },
  ]) {
    const closed = make(options);
    const failing = expect(closed.open(never)).rejects.toMatchObject({
      message: expect.stringContaining('It was closed.'),
    });
    await Promise.all([closed.close(), closed.close()]);
    await failing;
  }
});

describeWith(REDIS_PROGRAMS, REDIS_PACKAGES, 'a redis driver that opens', () => {
  let plain: RedisServer;
  let guarded: RedisServer;
  let cluster: RedisServer[];
  let sentinel: Awaited<ReturnType<typeof startSentinel>>;
  beforeAll(async () => {
    plain = await startRedis();
    guarded = await startRedis({
      args: ['--requirepass', PASSWORD],
      cliArgs: ['--no-auth-warning', '-a', PASSWORD],
    });
    cluster = await startRedisCluster();
    sentinel = await startSentinel();
  }, 60_000);

  test('works with a password, in a URL and beside it', async () => {
    await works({ port: guarded.port, password: PASSWORD });
    await works({ url: `redis://:${PASSWORD}@127.0.0.1:${guarded.port}/2` });
    await works({ url: `redis://127.0.0.1:${guarded.port}`, password: PASSWORD, db: 3 });
  });

  test('says what is wrong with a password', async () => {
    expect(await reason({ port: guarded.port })).toContain("wants a password: set 'password'");
    expect(await reason({ port: guarded.port, password: WRONG })).toContain(
      "check 'username' and 'password'",
    );
    expect(await reason({ url: `redis://u:${WRONG}@127.0.0.1:${guarded.port}` })).toContain(
      'the password was refused',
    );
    expect(await reason({ port: plain.port, password: WRONG })).toContain("leave out 'password'");
  });

  test('says that there is no such database', async () => {
    expect(await reason({ port: plain.port, db: 999 })).toContain("no such database: check 'db'");
  });

  test('works with the rights that are documented, and says which one is missing', async () => {
    const text = await readFile(path.join(import.meta.dirname, '../../../docs/backends/redis.md'), 'utf8');
    const [, rule = ''] = /^ACL SETUSER tierkv on >[^ ]+ (.*)$/m.exec(text) ?? [];
    const rights = rule.split(' ');
    expect(rights).toContain('~tierkv:*');
    const user = (...rules: string[]) =>
      guarded.cli('ACL', 'SETUSER', 'tierkv', 'reset', 'on', `>${PASSWORD}`, ...rules);
    const options = { port: guarded.port, username: 'tierkv', password: PASSWORD };
    await user(...rights);
    await works(options);
    const driver = make(options);
    await driver.open(never);
    expect((await driver.list!(undefined, never)).keys).toEqual(['a']);
    expect(await driver.remove(['a'], never)).toEqual([{ status: 'removed' }]);
    for (const command of ['exists', 'get', 'set', 'unlink', 'scan']) {
      await user(...rights, `-${command}`);
      expect(await reason(options)).toContain(`may not use the command ${command}: allow it`);
    }
    await user(...rights.map((right) => (right.startsWith('~') ? '~other:*' : right)));
    expect(await reason(options)).toContain("may not use these keys: allow those that begin with 'prefix'");
  });

  test('says that another kind of server is there', async () => {
    const [node] = cluster;
    const nodes = [`127.0.0.1:${plain.port}`];
    expect(await reason({ port: node!.port })).toContain("is a node of a cluster: use 'cluster'");
    expect(await reason({ cluster: nodes })).toContain('is no cluster: use');
    expect(await reason({ sentinel: { name: 'pages', nodes } })).toContain('is no sentinel: use');
    expect(await reason({ port: sentinel.sentinel, password: 'sentinel-secret' })).toContain(
      "is a sentinel: use 'sentinel'",
    );
    expect(await reason({ port: sentinel.replica.port })).toContain(
      'is a replica, which takes no writes: name its master',
    );
  });

  test('is content with one sentinel that answers, behind others that are silent', async () => {
    const silent = await Promise.all([1, 2, 3].map(() => fakeRedis(() => undefined)));
    const nodes = [...silent, sentinel.sentinel].map((port) => `127.0.0.1:${port}`);
    await works({ sentinel: { name: 'pages', nodes, password: 'sentinel-secret' } });
    const none = { name: 'pages', nodes: nodes.slice(0, 3), password: 'sentinel-secret' };
    expect(await reason({ sentinel: none })).toContain(
      "there was no answer within 2 s: check 'sentinel.nodes'",
    );
  });

  test('says what is wrong with sentinels', async () => {
    const nodes = [`127.0.0.1:${sentinel.sentinel}`];
    const password = 'sentinel-secret';
    await works({ sentinel: { name: 'pages', nodes, password } });
    expect(await reason({ sentinel: { name: 'pages', nodes } })).toContain("set 'sentinel.password'");
    expect(await reason({ sentinel: { name: 'pages', nodes, password: WRONG } })).toContain(
      "'sentinel.password'",
    );
    expect(await reason({ sentinel: { name: 'others', nodes, password } })).toContain(
      "check 'sentinel.name'",
    );
    expect(await reason({ sentinel: { name: 'pages', nodes, password }, password: WRONG })).toContain(
      "leave out 'password'",
    );
  });

  test('works over TLS, and says what is wrong with it', async () => {
    const { ca, cert, key, otherCa } = await makeCertificates();
    const [tlsPort, strictPort] = await freePorts(2);
    const files = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', ca];
    const secure = await startRedis({
      args: [...files, '--tls-port', `${tlsPort}`, '--tls-auth-clients', 'no'],
    });
    await startRedis({ args: [...files, '--tls-port', `${strictPort}`] });
    const at = { host: 'localhost', port: tlsPort };
    await works({ ...at, tls: { ca } });
    await works({ ...at, tls: { ca: await readFile(ca, 'utf8') } });
    await works({ url: `rediss://localhost:${tlsPort}`, tls: { ca } });
    await works({ ...at, host: '127.0.0.1', tls: { ca, servername: 'localhost' } });
    await works({ ...at, tls: { reject_unauthorized: false } });
    await works({ ...at, port: strictPort, tls: { ca, cert, key } });
    expect(await reason({ ...at, tls: true })).toContain("cannot be verified: check 'tls.ca'");
    expect(await reason({ ...at, tls: { ca: otherCa } })).toContain("cannot be verified: check 'tls.ca'");
    expect(await reason({ ...at, host: '127.0.0.1', tls: { ca } })).toContain(
      "another name: check 'tls.servername'",
    );
    // Its alert comes after the connection was made, or not at all when the connection ends before it is read.
    expect(await reason({ ...at, port: strictPort, tls: { ca } })).toMatch(/'tls.cert'|'cert'/);
    expect(await reason(at)).toContain("'tls'");
    expect(await reason({ port: secure.port, tls: { ca } })).toContain("'tls'");
    expect(await reason({ ...at, tls: { ca: '/nowhere/ca.pem' } })).toContain(
      "'tls.ca' is neither PEM text nor a file",
    );
    const rubbish = path.join(await temporaryFolder(), 'rubbish.pem');
    await writeFile(rubbish, `-----BEGIN PRIVATE KEY-----\n${PASSWORD}\n-----END PRIVATE KEY-----\n`);
    expect(await reason({ ...at, tls: { ca, cert, key: rubbish } })).toContain("'tls.key'");
  });
});
