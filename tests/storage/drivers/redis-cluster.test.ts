import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, beforeAll, expect, test } from 'vitest';
import type { StorageDriver } from '../../../src/storage/driver.ts';
import { slotOf } from '../../../src/storage/drivers/redis/slots.ts';
import { createDriver } from '../../../src/storage/factory.ts';
import { STORAGE_DEADLINES_MS } from '../../../src/storage/stack.ts';
import { fakeClusterNode } from '../../support/services/fake-redis.ts';
import { describeWith } from '../../support/services/programs.ts';
import {
  REDIS_PACKAGES,
  REDIS_PROGRAMS,
  type RedisServer,
  startRedisCluster,
  startSentinel,
  until,
} from '../../support/services/redis.ts';
import { bytes, has, listAll, never, outcome, pageKey, read, remove, write } from '../support/calls.ts';

let opened: StorageDriver[] = [];
afterEach(async () => {
  for (const driver of opened) await driver.close();
  opened = [];
});

async function open(options: object): Promise<StorageDriver> {
  const driver = createDriver('redis', options);
  opened.push(driver);
  await driver.open(never);
  return driver;
}

/** Of every node some. */
const KEYS = Array.from({ length: 60 }, (_, i) => pageKey(i));
const writes = () => KEYS.map((key) => ({ key, parts: [bytes(1000)] }));
const isEvery = (results: readonly { status: string }[], ...words: string[]) =>
  results.every((result) => words.includes(outcome(result)));

test('a node that knows of no slots any more takes nothing away from what is known', async () => {
  let port = 0;
  let isEmpty = false;
  let asked = 0;
  port = await fakeClusterNode({
    name: 'tierkv:a',
    slots: () => {
      asked++;
      return isEmpty ? [] : [{ first: 0, last: 16_383, port }];
    },
    instead: ([name]) => (isEmpty && asked === 1 && name === 'EXISTS' ? '-CLUSTERDOWN down\r\n' : undefined),
  });
  const driver = await open({ cluster: [`127.0.0.1:${port}`] });
  isEmpty = true;
  expect(outcome(await has(driver, 'a'))).toBe('unreachable');
  await until(async () => {
    await has(driver, 'a');
    return asked > 1;
  });
  expect(await has(driver, 'a')).toEqual({ status: 'hit' });
});

test('a listing finds the keys of a node that a slot has moved away from, and of one that it has moved to', async () => {
  const slot = slotOf('tierkv:a');
  const ports: number[] = [];
  const begin = [
    { first: 0, last: slot - 1, by: 1 },
    { first: slot, last: 16_383, by: 0 },
  ];
  let ranges = begin;
  const slots = () => ranges.map(({ by, ...range }) => ({ ...range, port: ports[by]! }));
  let movedTo = 1;
  const instead = ([name, key]: string[]) =>
    name === 'EXISTS' && key === 'tierkv:a' ? `-MOVED ${slot} 127.0.0.1:${ports[movedTo]}\r\n` : undefined;
  ports.push(await fakeClusterNode({ name: 'tierkv:of-0', slots, instead }));
  for (const n of [1, 2]) ports.push(await fakeClusterNode({ name: `tierkv:of-${n}`, slots }));
  const driver = await open({ cluster: [`127.0.0.1:${ports[0]}`] });
  const first = await driver.list!(undefined, never);
  await has(driver, 'a');
  const second = await driver.list!(first.next, never);
  expect([first.keys, second.keys]).toEqual([['of-1'], ['of-0']]);

  movedTo = 2;
  const other = await open({ cluster: [`127.0.0.1:${ports[0]}`] });
  ranges = [begin[0]!, { first: slot, last: slot, by: 2 }, { first: slot + 1, last: 16_383, by: 0 }];
  await has(other, 'a');
  expect((await listAll(other)).sort()).toEqual(['of-0', 'of-1', 'of-2']);
});

test('the right to follow a key on its way is tried when it is attached', async () => {
  let port = 0;
  port = await fakeClusterNode({
    name: 'tierkv:a',
    slots: () => [{ first: 0, last: 16_383, port }],
    instead: ([name]) =>
      name === 'ASKING'
        ? "-NOPERM User tierkv has no permissions to run the 'asking' command\r\n"
        : undefined,
  });
  await expect(open({ cluster: [`127.0.0.1:${port}`] })).rejects.toThrow(
    'may not use the command asking: allow it',
  );
});

test('a write to a node that does not take it as one on its way is not over before it was answered', async () => {
  let isAttached = false;
  let isAnswered = false;
  const ports: number[] = [];
  const slots = () => [{ first: 0, last: 16_383, port: ports[0]! }];
  const instead = ([name]: string[]) =>
    isAttached && name === 'SET' ? `-ASK ${slotOf('tierkv:a')} 127.0.0.1:${ports[1]}\r\n` : undefined;
  ports.push(await fakeClusterNode({ name: 'tierkv:a', slots, instead }));
  ports.push(
    await fakeClusterNode({
      name: 'tierkv:a',
      slots,
      instead: ([name], socket) => {
        if (name === 'ASKING') return '-ERR no\r\n';
        if (name !== 'SET') return undefined;
        setTimeout(() => {
          isAnswered = true;
          socket.write('+OK\r\n');
        }, 100);
        return '';
      },
    }),
  );
  const driver = await open({ cluster: [`127.0.0.1:${ports[0]}`] });
  isAttached = true;
  expect(outcome(await write(driver, 'a', bytes(10)))).toBe('io');
  expect(isAnswered).toBe(true);
});

describeWith(REDIS_PROGRAMS, REDIS_PACKAGES, 'a redis driver on a cluster', () => {
  let nodes: RedisServer[];
  const addresses = () => nodes.map(({ port }) => `127.0.0.1:${port}`);
  beforeAll(async () => {
    nodes = await startRedisCluster();
  }, 60_000);

  /** The third of the slots that a node was given first. */
  const nodeOf = (key: string) => Math.min(Math.floor(slotOf(`tierkv:${key}`) / 5461), 2);
  const idOf = (node: RedisServer) => node.cli('CLUSTER', 'MYID');

  test('one node of it is enough to find it, and keys go to all of them', async () => {
    const driver = await open({ cluster: [addresses()[1]] });
    expect(isEvery(await driver.write(writes(), never), 'stored')).toBe(true);
    const sizes = await Promise.all(nodes.map((node) => node.cli('DBSIZE')));
    expect(sizes.map(Number).every((size) => size > 0)).toBe(true);
    expect(new Set(await listAll(driver))).toEqual(new Set(KEYS));
    expect(isEvery(await driver.remove(KEYS, never), 'removed')).toBe(true);
  });

  test('nodes that do not answer hide none that does', async () => {
    const silent = Array.from({ length: 8 }, () => createServer().listen(0, '127.0.0.1'));
    try {
      await Promise.all(silent.map((server) => once(server, 'listening')));
      const names = silent.map((server) => `127.0.0.1:${(server.address() as AddressInfo).port}`);
      const driver = createDriver('redis', { cluster: [...names, addresses()[0]] });
      opened.push(driver);
      await driver.open(AbortSignal.timeout(STORAGE_DEADLINES_MS.open));
      expect(isEvery(await driver.write(writes(), never), 'stored')).toBe(true);
      expect(isEvery(await driver.remove(KEYS, never), 'removed')).toBe(true);
    } finally {
      for (const server of silent) server.close();
    }
  });

  test('a slot that has moved, and one that is moving, are followed; a listing does not go on over them', async () => {
    const driver = await open({ cluster: addresses() });
    const key = KEYS.find((each) => nodeOf(each) === 0)!;
    const slot = String(slotOf(`tierkv:${key}`));
    const [from, to] = [nodes[0]!, nodes[1]!];
    const [fromId, toId] = [await idOf(from), await idOf(to)];
    const listing = await driver.list!(undefined, never);
    await to.cli('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId);
    await from.cli('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId);
    // On its way: what the old node does not have is asked for at the new one.
    expect(await write(driver, key, bytes(10))).toEqual({ status: 'stored' });
    expect(await to.cli('CLUSTER', 'COUNTKEYSINSLOT', slot)).toBe('1');
    expect((await read(driver, key)).value).toEqual(bytes(10));
    expect(await remove(driver, key)).toEqual({ status: 'removed' });
    await write(driver, key, bytes(20));
    for (const node of [to, from, nodes[2]!]) await node.cli('CLUSTER', 'SETSLOT', slot, 'NODE', toId);
    expect((await read(driver, key)).value).toEqual(bytes(20));
    expect(await has(driver, key)).toEqual({ status: 'hit' });
    await until(async () => {
      await write(driver, key, bytes(20));
      return driver.list!(listing.next, never).then(
        () => false,
        (error) => /slots of the cluster moved/.test(String(error)),
      );
    });
    const other = await open({ cluster: addresses() });
    expect(await listAll(other)).toContain(key);
  });

  test('a slot that nobody served is used as soon as it is served', async () => {
    const key = KEYS.find((each) => nodeOf(each) === 1)!;
    const slot = String(slotOf(`tierkv:${key}`));
    for (const node of nodes) await node.cli('CLUSTER', 'DELSLOTS', slot);
    const driver = await open({ cluster: addresses() });
    expect(await write(driver, key, bytes(10))).toMatchObject({
      error: { kind: 'unreachable', message: expect.stringContaining('does not say which node') },
    });
    await nodes[1]!.cli('CLUSTER', 'ADDSLOTS', slot);
    await until(async () => outcome(await write(driver, key, bytes(10))) === 'stored');
    expect(await remove(driver, key)).toEqual({ status: 'removed' });
  });

  test('while a node is gone the others answer for their keys, and it is used again when it is back', async () => {
    const driver = await open({ cluster: addresses() });
    await driver.write(writes(), never);
    const own = KEYS.map((key) => nodeOf(key) === 2);
    await nodes[2]!.stop();
    const answers = await driver.has(KEYS, never);
    expect(answers.map(outcome)).toEqual(own.map((isGone) => (isGone ? 'unreachable' : 'hit')));
    const late = await open({ cluster: addresses() });
    const found = await late.read(
      KEYS.map((key) => ({ key, into: [Buffer.alloc(1000)] })),
      never,
    );
    expect(found.map(outcome)).toEqual(own.map((isGone) => (isGone ? 'unreachable' : 'hit')));
    nodes[2] = await nodes[2]!.again();
    await until(async () => isEvery(await driver.write(writes(), never), 'stored'));
    expect(isEvery(await late.has(KEYS, never), 'hit')).toBe(true);
  });

  test('a node that hangs holds up no keys of others, nor the end', async () => {
    const driver = await open({ cluster: addresses() });
    await driver.write(writes(), never);
    nodes[2]!.signal('SIGSTOP');
    try {
      const leaving = new AbortController();
      const waiting = driver.has(
        KEYS.filter((key) => nodeOf(key) === 2),
        leaving.signal,
      );
      const others = KEYS.filter((key) => nodeOf(key) !== 2);
      expect(isEvery(await driver.has(others, never), 'hit')).toBe(true);
      leaving.abort();
      expect(isEvery(await waiting, 'aborted')).toBe(true);
      await driver.close();
    } finally {
      nodes[2]!.signal('SIGCONT');
    }
  });
});

describeWith(REDIS_PROGRAMS, REDIS_PACKAGES, 'a redis driver with replicas', () => {
  test('a master of a cluster that is lost is replaced by its replica', async () => {
    const nodes = await startRedisCluster(1);
    const driver = await open({ cluster: nodes.slice(0, 3).map(({ port }) => `127.0.0.1:${port}`) });
    await driver.write(writes(), never);
    await nodes[0]!.stop();
    const again = () => driver.write(writes(), never);
    expect(isEvery(await again(), 'stored', 'unreachable')).toBe(true);
    await until(async () => isEvery(await again(), 'stored'));
    expect(isEvery(await driver.has(KEYS, never), 'hit')).toBe(true);
  }, 120_000);

  test('a master that sentinels watch is found, and its successor when it is lost or steps down', async () => {
    const { master, replica, sentinel, ask } = await startSentinel();
    const settings = {
      name: 'pages',
      nodes: ['127.0.0.1:1', `127.0.0.1:${sentinel}`],
      password: 'sentinel-secret',
    };
    const driver = await open({ sentinel: settings });
    await driver.write(writes(), never);
    expect(Number(await master.cli('DBSIZE'))).toBe(KEYS.length);
    await until(async () => (await replica.cli('DBSIZE')) === String(KEYS.length));
    await ask('SENTINEL', 'FAILOVER', 'pages');
    await until(async () => (await replica.cli('ROLE')).startsWith('master'));
    await until(async () => isEvery(await driver.write(writes(), never), 'stored'));
    expect((await read(driver, KEYS[0]!)).value).toEqual(bytes(1000));
    await until(async () => (await master.cli('ROLE')).startsWith('slave'));
    await until(async () => (await ask('SENTINEL', 'REPLICAS', 'pages')).includes('master-link-status\nok'));
    await replica.stop();
    await until(async () => isEvery(await driver.write(writes(), never), 'stored'));
    await until(async () => (await master.cli('ROLE')).startsWith('master'));
  }, 120_000);
});
