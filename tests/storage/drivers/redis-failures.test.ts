import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import path from 'node:path';
import { pipeline } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { StorageDriver } from '../../../src/storage/driver.ts';
import { createDriver } from '../../../src/storage/factory.ts';
import { fakeRedis, GREETING } from '../../support/services/fake-redis.ts';
import { describeWith } from '../../support/services/programs.ts';
import {
  REDIS_PACKAGES,
  REDIS_PROGRAMS,
  type RedisServer,
  startRedis,
  until,
} from '../../support/services/redis.ts';
import { bytes, has, never, outcome, pageKey, read, remove, settled, write } from '../support/calls.ts';

const MIB = 2 ** 20;
const PASSWORD = 'correct-horse-battery';

test('a value that comes slowly is waited for as long as something comes', async () => {
  const value = bytes(12);
  const port = await fakeRedis(([name, key], socket) => {
    if (name === 'HELLO') return GREETING;
    if (key !== 'tierkv:slow') return '+OK\r\n';
    void (async () => {
      socket.write('$12\r\n');
      for (const byte of value) {
        await sleep(1000);
        socket.write(Buffer.of(byte));
      }
      socket.write('\r\n');
    })();
    return undefined;
  });
  const driver = createDriver('redis', { port });
  await driver.open(never);
  expect((await read(driver, 'slow', 12)).value).toEqual(value);
  await driver.close();
});

test('a value that is larger than the server takes says so for itself alone', async () => {
  const port = await fakeRedis(([name, key]) => {
    if (name === 'HELLO') return GREETING;
    if (key === 'tierkv:large') return '-ERR Protocol error: invalid bulk length\r\n';
    return key === 'tierkv:waiting' ? undefined : '+OK\r\n';
  });
  const driver = createDriver('redis', { port });
  await driver.open(never);
  const keys = ['large', 'waiting', 'waiting'];
  const written = await driver.write(
    keys.map((key) => ({ key, parts: [bytes(10)] })),
    never,
  );
  expect(written.map(outcome)).toEqual(['size', 'unreachable', 'unreachable']);
  expect(await write(driver, 'other', bytes(10))).toEqual({ status: 'stored' });
  await driver.close();
});

describeWith(REDIS_PROGRAMS, REDIS_PACKAGES, 'a redis driver', () => {
  let server: RedisServer;
  let driver: StorageDriver;
  beforeEach(async () => {
    server = await startRedis();
    driver = await open();
  });
  afterEach(async () => {
    await driver.close();
    await server.stop();
  });

  async function open(options: object = {}): Promise<StorageDriver> {
    const made = createDriver('redis', { port: server.port, ...options });
    await made.open(never);
    return made;
  }

  /** So many values of a MiB, as one call. */
  function writes(count: number, from = 0) {
    const value = bytes(MIB);
    return Array.from({ length: count }, (_, i) => ({ key: pageKey(from + i), parts: [value] }));
  }

  test('a full server that evicts nothing takes no more, says so, and still answers', async () => {
    await server.cli('CONFIG', 'SET', 'maxmemory', '16mb');
    const words = (await driver.write(writes(32), never)).map(outcome);
    expect(new Set(words)).toEqual(new Set(['stored', 'full']));
    expect((await read(driver, pageKey(0), MIB)).value?.equals(bytes(MIB))).toBe(true);
    const [failed] = await driver.write(writes(1, 100), never);
    expect(failed).toMatchObject({ error: { message: expect.stringContaining('maxmemory') } });
    const stored = words.flatMap((word, i) => (word === 'stored' ? [pageKey(i)] : []));
    await driver.remove(stored, never);
    expect((await driver.write(writes(1, 200), never)).map(outcome)).toEqual(['stored']);
  });

  test('a full server that evicts takes all, and what it evicted is a miss', async () => {
    await server.cli('CONFIG', 'SET', 'maxmemory', '16mb', 'maxmemory-policy', 'allkeys-lru');
    const words = (await driver.write(writes(48), never)).map(outcome);
    expect(words).toEqual(words.map(() => 'stored'));
    const found = await driver.has(
      writes(48).map(({ key }) => key),
      never,
    );
    expect(new Set(found.map(outcome))).toEqual(new Set(['hit', 'miss']));
  });

  test('a server that is killed is unreachable, and one that comes back is used by the next call', async () => {
    await write(driver, 'a', bytes(10));
    const inFlight = driver.write(writes(64), never);
    await server.stop();
    expect((await inFlight).map(outcome).every((word) => ['stored', 'unreachable'].includes(word))).toBe(
      true,
    );
    for (const result of [
      await has(driver, 'a'),
      await write(driver, 'a', bytes(1)),
      await remove(driver, 'a'),
    ])
      expect(outcome(result)).toBe('unreachable');
    expect((await read(driver, 'a')).result).toMatchObject({
      error: { message: expect.stringContaining("refuses connections: check 'host' and 'port'") },
    });
    server = await server.again();
    expect(await has(driver, 'a')).toEqual({ status: 'miss' });
    expect(await write(driver, 'a', bytes(10))).toEqual({ status: 'stored' });
    server.signal('SIGKILL');
    await until(async () => outcome(await has(driver, 'a')) === 'unreachable');
    server = await server.again();
    expect((await read(driver, 'a')).result).toEqual({ status: 'miss' });
  });

  test('a server that closes the connection is connected to again, without a failure where nothing was under way', async () => {
    await write(driver, 'a', bytes(10));
    await server.cli('CLIENT', 'KILL', 'TYPE', 'normal');
    await until(async () => outcome(await has(driver, 'a')) === 'hit');
    expect((await read(driver, 'a')).value).toEqual(bytes(10));
  });

  test('a server that comes back with another password is refused without it', async () => {
    await driver.close();
    // Until then the user needs none, and every password is right.
    driver = await open({ username: 'default', password: PASSWORD });
    await server.stop();
    server = await server.again(['--requirepass', 'another-password']);
    const { error } = (await has(driver, 'a')) as { error: { kind: string; message: string } };
    expect(error).toEqual({
      kind: 'denied',
      message: "the password was refused: check 'username' and 'password'",
    });
  });

  test('a server that hangs: calls end by their signals, and all of them are answered when it goes on', async () => {
    await driver.write(writes(32), never);
    server.signal('SIGSTOP');
    const leaving = new AbortController();
    const value = bytes(MIB);
    const left = driver.write([{ key: 'left', parts: [value] }], leaving.signal);
    const buffers = Array.from({ length: 32 }, () => Buffer.alloc(MIB));
    const staying = driver.read(
      buffers.map((buffer, i) => ({ key: pageKey(i), into: [buffer] })),
      never,
    );
    leaving.abort();
    const answers = await left;
    expect(answers.map(outcome)).toEqual(['aborted']);
    server.signal('SIGCONT');
    expect((await staying).map(outcome)).toEqual(buffers.map(() => 'hit'));
    expect(buffers.every((buffer) => buffer.equals(value))).toBe(true);
    await settled(answers);
    expect((await driver.write(writes(1, 500), never)).map(outcome)).toEqual(['stored']);
  });

  test('a server that hangs for good: its connection is given up, buffers are free, and little memory is held', async () => {
    server.signal('SIGSTOP');
    const before = process.memoryUsage().arrayBuffers;
    const leaving = new AbortController();
    const [value, head] = [Buffer.alloc(4 * MIB, 1), Buffer.alloc(256)];
    const calls = Array.from({ length: 60 }, (_, i) =>
      driver.write([{ key: pageKey(i), parts: [head, value] }], leaving.signal),
    );
    const reads = Array.from({ length: 60 }, (_, i) =>
      driver.read([{ key: pageKey(i), into: [head, value] }], leaving.signal),
    );
    await new Promise((resolve) => setImmediate(resolve));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(40 * MIB);
    leaving.abort();
    const results = (await Promise.all([...calls, ...reads])).flat();
    expect(results.map(outcome)).toEqual(results.map(() => 'aborted'));
    await settled(results);
    const failing = await has(driver, 'a');
    expect(failing).toMatchObject({ error: { kind: 'unreachable' } });
    server.signal('SIGCONT');
    expect(await has(driver, 'a')).toEqual({ status: 'miss' });
  }, 60_000);

  test('closing does not wait for a server that hangs', async () => {
    server.signal('SIGSTOP');
    const calls = [
      driver.write(writes(16), never),
      driver.has(['a'], never),
      driver.read([{ key: 'a', into: [Buffer.alloc(10)] }], never),
    ];
    const listing = expect(driver.list!(undefined, never)).rejects.toMatchObject({ code: 'storage_failed' });
    await driver.close();
    const results = (await Promise.all(calls)).flat();
    expect(results.map(outcome)).toEqual(results.map(() => 'closed'));
    await settled(results);
    await listing;
    expect(outcome(await has(driver, 'a'))).toBe('closed');
  });

  test('what is not allowed is denied, and allowed again when it is', async () => {
    await server.cli('ACL', 'SETUSER', 'default', '-set');
    const [refused] = await driver.write(writes(1), never);
    expect(refused).toMatchObject({
      error: { kind: 'denied', message: expect.stringContaining('may not use the command set') },
    });
    expect(await has(driver, 'a')).toEqual({ status: 'miss' });
    await server.cli('ACL', 'SETUSER', 'default', '+set');
    expect((await driver.write(writes(1), never)).map(outcome)).toEqual(['stored']);
  });

  test('a server that became a replica is left for the one that its address leads to now', async () => {
    const other = await startRedis();
    let leadsTo = server;
    const address = createServer((socket) => {
      const onward = connect(leadsTo.port, '127.0.0.1');
      pipeline(socket, onward, socket, () => undefined);
    }).listen(0, '127.0.0.1');
    await once(address, 'listening');
    const moving = await open({ port: (address.address() as AddressInfo).port });
    await server.cli('REPLICAOF', '127.0.0.1', '1');
    expect(outcome(await write(moving, 'a', bytes(10)))).toBe('denied');
    expect(await has(moving, 'a')).toMatchObject({
      error: { kind: 'denied', message: expect.stringContaining('is a replica') },
    });
    leadsTo = other;
    expect(await write(moving, 'a', bytes(10))).toEqual({ status: 'stored' });
    expect(await other.cli('DBSIZE')).toBe('1');
    await moving.close();
    address.close();
  });

  test('a server that cannot save denies writes and answers reads', async () => {
    await server.stop();
    server = await server.again(['--dir', '/proc']);
    await write(driver, 'a', bytes(10));
    await server.cli('CONFIG', 'SET', 'save', '3600 1');
    await server.cli('BGSAVE');
    await until(async () => (await server.cli('INFO', 'persistence')).includes('rdb_last_bgsave_status:err'));
    const answer = await write(driver, 'b', bytes(10));
    expect(answer).toMatchObject({
      error: { kind: 'denied', message: expect.stringContaining('cannot save') },
    });
    expect((await read(driver, 'a')).value).toEqual(bytes(10));
    // It would not end without having saved.
    await server.cli('CONFIG', 'SET', 'save', '');
  });

  test('a value that is too large is an error of kind size, and what is larger than the server takes costs only itself', async () => {
    const part = Buffer.alloc(MIB);
    const [result] = await driver.write(
      [{ key: 'a', parts: Array.from({ length: 513 }, () => part) }],
      never,
    );
    expect(outcome(result!)).toBe('size');
    await server.cli('CONFIG', 'SET', 'proto-max-bulk-len', '1mb');
    const [late] = await driver.write([{ key: 'a', parts: [part, part] }], never);
    // The server closes the connection, which may be seen before its answer.
    expect(['size', 'unreachable']).toContain(outcome(late!));
    expect(await write(driver, 'b', bytes(10))).toEqual({ status: 'stored' });
  });

  test('a key that somebody else uses for something else is an error of its own', async () => {
    await server.cli('RPUSH', 'tierkv:list', 'x');
    await write(driver, 'a', bytes(10));
    const into = [Buffer.alloc(10)];
    const reads = ['list', 'a'].map((key) => ({ key, into }));
    expect((await driver.read(reads, never)).map(outcome)).toEqual(['io', 'hit']);
  });

  test('a listing gives no keys of others, and begins again after the connection was lost', async () => {
    await server.cli('MSET', 'other:a', '1', 'tierkv:not/../a/key', '1', 'tierkv:a:b', '1', 'tierkvb', '1');
    const keys = Array.from({ length: 3000 }, (_, i) => pageKey(i));
    for (let i = 0; i < keys.length; i += 100)
      await driver.write(
        keys.slice(i, i + 100).map((key) => ({ key, parts: [] })),
        never,
      );
    const first = await driver.list!(undefined, never);
    const seen = new Set<string>();
    await server.stop();
    server = await server.again();
    for (let i = 0; i < keys.length; i += 100)
      await driver.write(
        keys.slice(i, i + 100).map((key) => ({ key, parts: [] })),
        never,
      );
    let { next } = first;
    expect(next).toBeDefined();
    while (next !== undefined) {
      const portion = await driver.list!(next, never);
      for (const key of portion.keys) seen.add(key);
      next = portion.next;
    }
    expect([...seen].sort()).toEqual([...keys].sort());
  });

  test('values expire where they have a time to live, and stay where they have none', async () => {
    const passing = await open({ ttl: 1000, prefix: 'passing:' });
    await write(passing, 'a', bytes(10));
    await write(driver, 'a', bytes(10));
    expect(Number(await server.cli('TTL', 'passing:a'))).toBeGreaterThan(0);
    expect(await server.cli('TTL', 'tierkv:a')).toBe('-1');
    await server.cli('PEXPIRE', 'passing:a', '1');
    await until(async () => outcome(await has(passing, 'a')) === 'miss');
    await passing.close();
  });

  test('nothing keeps the process alive once it is closed', async () => {
    const silent = await fakeRedis(() => undefined);
    const factory = path.join(import.meta.dirname, '../../../src/storage/factory.ts');
    const script = `
      import { createDriver } from ${JSON.stringify(factory)};
      const never = new AbortController().signal;
      const used = createDriver('redis', { port: ${server.port} });
      await used.open(never);
      const running = used.write([{ key: 'a', parts: [Buffer.alloc(5_000_000)] }], never);
      await used.close();
      await running;
      const options = [
        { port: ${silent} },
        { cluster: ['127.0.0.1:${silent}'] },
        { sentinel: { name: 'm', nodes: ['127.0.0.1:${silent}'] } },
        { port: ${silent}, tls: true },
      ];
      for (const option of options) {
        const opening = createDriver('redis', option);
        const failing = opening.open(never).catch(() => undefined);
        await new Promise((resolve) => setTimeout(resolve, 50));
        await opening.close();
        await failing;
      }
      const isOurs = (name) => /TCP|TLS|Connect|Timeout/.test(name);
      const left = () => process.getActiveResourcesInfo().filter(isOurs);
      for (let turn = 0; turn < 1000 && left().length > 0; turn++)
        await new Promise((resolve) => setImmediate(resolve));
      console.log('left:', left().join());
    `;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script]);
    let printed = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (printed += data));
    const [status] = await once(child, 'exit');
    expect([status, printed.trim()]).toEqual([0, 'left:']);
  });
});
