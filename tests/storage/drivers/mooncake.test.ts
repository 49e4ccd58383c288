import { afterEach, describe, expect, test } from 'vitest';
import { VirtualClock } from '../../../src/engine/simulated/virtual-clock.ts';
import { systemClock } from '../../../src/shared/clock.ts';
import type { StorageDriver } from '../../../src/storage/driver.ts';
import { MooncakeDriver } from '../../../src/storage/drivers/mooncake/mooncake-driver.ts';
import { createDriver } from '../../../src/storage/factory.ts';
import type { SuiteOptions } from '../../../src/storage-suite/index.ts';
import { fakeServer } from '../../support/fake-server.ts';
import { FakeMooncake, type Fault } from '../../support/services/fake-mooncake.ts';
import { freePorts } from '../../support/services/service.ts';
import { conformance } from '../conformance/conformance.ts';
import { bytes, has, never, outcome, pageKey, read, remove, write } from '../support/calls.ts';
import { LAYERS } from '../support/layers.ts';

const fakes: FakeMooncake[] = [];
const drivers: StorageDriver[] = [];
afterEach(async () => {
  for (const driver of drivers.splice(0)) await driver.close();
  for (const fake of fakes.splice(0)) await fake.close();
});

async function fakeService(port?: number): Promise<FakeMooncake> {
  const fake = await FakeMooncake.start(port);
  fakes.push(fake);
  return fake;
}

const make = async () => createDriver('mooncake', { url: (await fakeService()).url });
const makeThrough: SuiteOptions['makeThrough'] = async (proxy) => {
  const { host, port } = await proxy({ host: '127.0.0.1', port: (await fakeService()).port });
  return createDriver('mooncake', { url: `http://${host}:${port}` });
};
conformance('mooncake', make, { makeThrough });
conformance('mooncake in all layers', async () => LAYERS['all layers']!(await make()), {
  makeThrough: async (proxy) => LAYERS['all layers']!(await makeThrough(proxy)),
});

conformance('mooncake with leases', async () => {
  const fake = await fakeService();
  fake.grantLeases(20);
  return new MooncakeDriver({ url: fake.url, concurrency: 16 }, { clock: systemClock, firstWaitMs: 30 });
});

async function opened(fake: FakeMooncake, options: object = {}): Promise<StorageDriver> {
  const driver = createDriver('mooncake', { url: fake.url, ...options });
  drivers.push(driver);
  await driver.open(never);
  return driver;
}

describe('what mooncake keeps', () => {
  test('is text, under keys that the service takes in a path', async () => {
    const fake = await fakeService();
    const driver = await opened(fake);
    await write(driver, 'a/b.c_d-e', Buffer.from([0, 255, 7]));
    expect([...fake.values]).toEqual([['a~b.c_d-e', `b64,${Buffer.from([0, 255, 7]).toString('base64')}`]]);
    expect(fake.seen.map(({ path }) => path)).toEqual([
      '/api/exist/probe',
      '/api/exist/a~b.c_d-e',
      '/api/put',
    ]);
  });

  test('stays as it is when the key is written again', async () => {
    const driver = await opened(await fakeService());
    expect(await write(driver, 'a', bytes(10, 1))).toEqual({ status: 'stored' });
    expect(await write(driver, 'a', bytes(10, 2))).toEqual({ status: 'exists' });
    expect((await read(driver, 'a')).value).toEqual(bytes(10, 1));
  });

  test.each([
    '',
    'b64',
    'other',
    'b64,A',
    'b64,AAA*',
    'b64,A===',
    'b64,AA=A',
    'b64,AAAA\n\n\n\n',
    'b65,AAAA',
  ])('and is the text %j is no value', async (text) => {
    const fake = await fakeService();
    const driver = await opened(fake);
    fake.values.set('a', text);
    // An empty answer is one that the service could not read.
    expect(outcome((await read(driver, 'a')).result)).toBe(text === '' ? 'io' : 'corrupt');
  });

  test('is not taken where it is larger than the service takes', async () => {
    const fake = await fakeService();
    const driver = await opened(fake);
    expect(driver.capabilities.largestValue).toBeGreaterThan(70_000_000);
    const part = Buffer.alloc(driver.capabilities.largestValue / 3);
    const parts = [part, part, part, Buffer.alloc(1)];
    expect((await driver.write([{ key: 'a', parts }], never)).map(outcome)).toEqual(['size']);
    expect(fake.values.size).toBe(0);
  });
});

describe('what mooncake keeps for a while after it was read', () => {
  async function leased(): Promise<{ fake: FakeMooncake; driver: StorageDriver; clock: VirtualClock }> {
    const fake = await fakeService();
    const clock = new VirtualClock();
    const driver = new MooncakeDriver({ url: fake.url, concurrency: 2 }, { clock, firstWaitMs: 1000 });
    drivers.push(driver);
    await driver.open(never);
    await write(driver, 'a/b', bytes(10, 1));
    fake.grantLeases();
    expect((await read(driver, 'a/b')).value).toEqual(bytes(10, 1));
    return { fake, driver, clock };
  }

  test('is a miss once it was removed, and leaves the store when it can', async () => {
    const { fake, driver, clock } = await leased();
    expect(await remove(driver, 'a/b')).toEqual({ status: 'removed' });
    expect(fake.values.size).toBe(1);
    expect(await has(driver, 'a/b')).toEqual({ status: 'miss' });
    expect((await read(driver, 'a/b')).result).toEqual({ status: 'miss' });
    expect(await remove(driver, 'a/b')).toEqual({ status: 'miss' });
    const attempts = () => fake.seen.filter(({ method }) => method === 'DELETE').length;
    await clock.advance(1000);
    await expect.poll(attempts).toBe(2);
    expect(fake.values.size).toBe(1);
    fake.endLeases();
    await expect.poll(() => clock.advance(2000).then(() => fake.values.size)).toBe(0);
  });

  test('is written again as soon as it is gone, and others do not wait for that', async () => {
    const { fake, driver, clock } = await leased();
    await remove(driver, 'a/b');
    const keys = ['a/b', 'a/b', 'a/b'].map((key) => ({ key, parts: [bytes(10, 2)] }));
    const again = driver.write(keys, never);
    expect(await write(driver, 'other', bytes(5))).toEqual({ status: 'stored' });
    fake.endLeases();
    await clock.advance(1000);
    expect((await again).map(outcome).sort()).toContain('stored');
    expect((await read(driver, 'a/b')).value).toEqual(bytes(10, 2));
  });

  test('is not waited for as long as that may take: its write fails, and no other of the call', async () => {
    const { driver, clock } = await leased();
    await remove(driver, 'a/b');
    const keys = ['other', 'a/b'].map((key) => ({ key, parts: [bytes(10, 2)] }));
    const written = driver.write(keys, never);
    await clock.advance(5000);
    expect(await written).toEqual([
      { status: 'stored' },
      { status: 'error', error: { kind: 'io', message: 'The value that was there is being removed.' } },
    ]);
  });

  test('is not waited for when the signal aborts, or when it closes', async () => {
    const { driver } = await leased();
    await remove(driver, 'a/b');
    const signal = new AbortController();
    const again = driver.write([{ key: 'a/b', parts: [] }], signal.signal);
    signal.abort();
    expect((await again).map(outcome)).toEqual(['aborted']);
    const more = driver.write([{ key: 'a/b', parts: [] }], never);
    await driver.close();
    expect((await more).map(outcome)).toEqual(['closed']);
  });
});

describe('a service that fails', () => {
  const error = (status: number, text: string): Fault => ({ status, body: JSON.stringify({ error: text }) });
  test.each<[string, Fault, string]>([
    ['an error of its own', error(500, 'GET operation failed'), 'io'],
    ['no permission', { status: 403, body: 'no' }, 'denied'],
    ['a proxy without a service', { status: 502, body: '<html>' }, 'unreachable'],
    ['a route that is not there', { status: 404, body: '404: Not Found', type: 'text/plain' }, 'io'],
    ['a redirection', { status: 302, body: '' }, 'io'],
    ['the end of the connection', 'reset', 'unreachable'],
    ['half an answer', 'cut', 'unreachable'],
    ['an answer without an end', 'endless', 'corrupt'],
    ['what is no base64', { status: 200, body: 'b64,????' }, 'corrupt'],
    ['an empty answer', { status: 200, body: '' }, 'io'],
  ])('with %s fails the read alone, and the next one is right', async (_, fault, kind) => {
    const fake = await fakeService();
    const driver = await opened(fake);
    await write(driver, 'a', bytes(3000));
    fake.next('GET', fault);
    // A connection that was kept may have ended, so that once more is asked on another one.
    if (fault === 'reset') fake.next('GET', fault);
    expect(outcome((await read(driver, 'a')).result)).toBe(kind);
    expect((await read(driver, 'a')).value).toEqual(bytes(3000));
  });

  test.each<[string, Fault, string]>([
    ['an error of its own', error(500, 'PUT operation failed'), 'io'],
    ['a body that is too large', { status: 413, body: '' }, 'size'],
    ['half an answer', 'cut', 'unreachable'],
    ['an answer without an end', 'endless', 'stored'],
  ])('with %s fails the write alone', async (_, fault, kind) => {
    const fake = await fakeService();
    const driver = await opened(fake);
    fake.next('PUT', fault);
    expect(outcome(await write(driver, 'a', bytes(3000)))).toBe(kind);
    expect(outcome(await write(driver, 'b', bytes(3000)))).toBe('stored');
  });

  test('by hanging is left when the signal aborts, with nothing left open after close', async () => {
    const fake = await fakeService();
    const driver = await opened(fake);
    for (const method of ['GET', 'GET', 'DELETE']) fake.next(method, 'hang');
    const signal = new AbortController();
    const calls = [
      driver.has(['a'], signal.signal),
      driver.read([{ key: 'b', into: [Buffer.alloc(5)] }], signal.signal),
      driver.remove(['c'], signal.signal),
    ];
    await expect.poll(() => fake.running).toBe(3);
    signal.abort();
    expect((await Promise.all(calls)).flat().map(outcome)).toEqual(['aborted', 'aborted', 'aborted']);
    await driver.close();
    await expect.poll(() => fake.connections).toBe(0);
  });

  test('and comes back later is used again by the next call', async () => {
    const [port] = await freePorts(1);
    const fake = await fakeService(port);
    const driver = await opened(fake);
    await write(driver, 'a', bytes(10));
    await fake.close();
    fakes.splice(0);
    expect(outcome(await has(driver, 'a'))).toBe('unreachable');
    const next = await fakeService(port);
    expect(await has(driver, 'a')).toEqual({ status: 'miss' });
    expect(next.seen).toHaveLength(1);
  });

  test('by having closed an idle connection is asked again on another one', async () => {
    const fake = await fakeService();
    const driver = await opened(fake);
    await write(driver, 'a', bytes(10));
    fake.next('GET', 'reset');
    expect(await has(driver, 'a')).toEqual({ status: 'hit' });
  });

  test('is asked by as many requests at a time as the option says, and keeps as many connections', async () => {
    const fake = await fakeService();
    const driver = await opened(fake, { concurrency: 3 });
    const writes = Array.from({ length: 40 }, (_, i) => ({ key: pageKey(i), parts: [bytes(1000, i)] }));
    expect(new Set((await driver.write(writes, never)).map(outcome))).toEqual(new Set(['stored']));
    for (let i = 0; i < 40; i++) fake.next('GET', 'hang');
    const hanging = driver.has(
      writes.map(({ key }) => key),
      never,
    );
    await expect.poll(() => fake.running).toBe(3);
    expect(fake.connections).toBeLessThanOrEqual(3);
    await driver.close();
    expect(new Set((await hanging).map(outcome))).toEqual(new Set(['closed']));
    expect(fake.mostRunning).toBe(3);
    await expect.poll(() => fake.connections).toBe(0);
  });
});

describe('a mooncake that cannot be opened says which option to change', () => {
  async function reason(url: string): Promise<string> {
    const driver = createDriver('mooncake', { url });
    try {
      await driver.open(never);
    } catch (error) {
      expect(error).toMatchObject({ code: 'storage_failed' });
      return (error as Error).message;
    } finally {
      await driver.close();
    }
    return 'it is open';
  }

  test('where nobody answers', async () => {
    const silent = await fakeServer(() => undefined);
    expect(await reason(silent)).toMatch(/'url': \S+ has not answered for 5 s: is Mooncake's REST service/);
  });

  test('where nothing listens', async () => {
    const [port] = await freePorts(1);
    expect(await reason(`http://127.0.0.1:${port}`)).toBe(
      `Storage backend 'mooncake': 'url': 127.0.0.1:${port} cannot be reached (ECONNREFUSED): is Mooncake's REST service running there?`,
    );
  });

  test.each<[string, Fault, RegExp]>([
    [
      'another service',
      { status: 404, body: 'Not Found' },
      /'url': what answers at .* is not Mooncake's REST service \(status 404\)/,
    ],
    [
      'a web page',
      { status: 200, body: '<html>' },
      /'url': what answers at .* is not Mooncake's REST service \(status 200\)/,
    ],
    ['another JSON', { status: 200, body: '{"exists": 1}' }, /is not Mooncake's REST service/],
    [
      'what asks for a password',
      { status: 401, body: '' },
      /'url': .* refused its user and password \(status 401\)/,
    ],
    [
      'a service without its store',
      { status: 500, body: '{"error": "Exist check failed"}' },
      /its store does not: .*Exist check failed/,
    ],
    ['an answer without an end', 'endless', /is not Mooncake's REST service/],
  ])('where there is %s', async (_, fault, expected) => {
    const fake = await fakeService();
    fake.next('GET', fault);
    expect(await reason(fake.url)).toMatch(expected);
  });

  test('a password of the URL is sent, and is in no message', async () => {
    const fake = await fakeService();
    fake.next('GET', { status: 401, body: '' });
    const message = await reason(fake.url.replace('//', '//user:hunter2@'));
    expect(message).not.toContain('hunter2');
  });

  test.each<[object, RegExp]>([
    [{}, /'url' is required/],
    [{ url: 'there' }, /'url' must be an http or https URL without a query/],
    [{ url: 'ftp://there' }, /'url' must be an http or https URL/],
    [{ url: 'http://there/?key=hunter2' }, /'url' must be an http or https URL without a query/],
    [{ url: 'http://there', concurrency: 0 }, /'concurrency' must be >= 1/],
    [{ url: 'http://there', nosuch: 1 }, /'nosuch' is not known here; known are: url, concurrency/],
    [
      { url: 'http://there', master_server_address: 'x:50051' },
      /'master_server_address' is a setting of Mooncake's REST service/,
    ],
    [
      { global_segment_size: '4gb' },
      /'global_segment_size' is a setting of Mooncake's REST service.*'url' says where/,
    ],
  ])('%j is refused', (config, expected) => {
    expect(() => createDriver('mooncake', config)).toThrow(expected);
  });
});
