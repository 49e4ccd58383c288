import { createHash } from 'node:crypto';
import { describe, expect, test, vi } from 'vitest';
import type { S3Fault, startFakeS3 } from '../../support/services/fake-s3.ts';
import { bytes, listAll, never, outcome, pageKey, read, remove, write } from '../support/calls.ts';
import { count, error, KEY, open, start } from '../support/open-s3.ts';

describe('a value is whole or no hit:', () => {
  test.each<S3Fault>([
    { kind: 'cut', bytes: 0 },
    { kind: 'cut', bytes: 1 },
    { kind: 'cut', bytes: 99_999 },
    { kind: 'reset' },
    { kind: 'garbage' },
  ])('%o', async (fault) => {
    const fake = await start();
    const driver = await open(fake);
    await write(driver, 'a', bytes(100_000));
    fake.fault = (kind) => (kind === 'GET object' ? fault : undefined);
    const filled = vi.fn();
    const [result] = await driver.read([{ key: 'a', into: [Buffer.alloc(100_000)], filled }], never);
    expect(['unreachable', 'io']).toContain(outcome(result!));
    expect(filled).not.toHaveBeenCalled();
    fake.fault = () => undefined;
    expect((await read(driver, 'a', 100_000)).value).toEqual(bytes(100_000));
  });

  test('without a length, and where the end of the connection is the end of the value', async () => {
    const fake = await start();
    const driver = await open(fake);
    fake.fault = () => ({ kind: 'unframed', body: bytes(500) });
    expect(outcome((await read(driver, 'a')).result)).toBe('io');
  });

  test('one that does not fit ends its connection, and gives its beginning', async () => {
    const fake = await start();
    const driver = await open(fake, { max_connections: 1 });
    await write(driver, 'a', bytes(5_000_000));
    const into = Buffer.alloc(1000);
    expect((await driver.read([{ key: 'a', into: [into] }], never)).map(outcome)).toEqual(['size']);
    expect(into.equals(bytes(5_000_000).subarray(0, 1000))).toBe(true);
    expect((await read(driver, 'a', 5_000_000)).value?.equals(bytes(5_000_000))).toBe(true);
  });

  test('what a store calls compressed comes as it is', async () => {
    const fake = await start();
    const driver = await open(fake);
    const body = 'not compressed at all';
    fake.fault = () => ({
      kind: 'answer',
      status: 200,
      headers: { 'content-encoding': 'gzip', 'content-length': '21' },
      body,
    });
    expect((await read(driver, 'a')).value?.toString()).toBe(body);
  });
});

describe('what fails has a kind:', () => {
  test.each<[S3Fault, string]>([
    [error(403, 'AccessDenied'), 'denied'],
    [error(403, 'InvalidAccessKeyId'), 'denied'],
    [error(400, 'ExpiredToken'), 'denied'],
    [error(403, 'QuotaExceeded'), 'full'],
    [error(507, 'XMinioStorageFull'), 'full'],
    [error(507, 'Unknown'), 'full'],
    [error(400, 'EntityTooLarge'), 'size'],
    [error(413, 'Unknown'), 'size'],
    [error(503, 'SlowDown'), 'unreachable'],
    [error(429, 'TooManyRequests'), 'unreachable'],
    [error(404, 'NoSuchBucket'), 'unreachable'],
    [error(500, 'InternalError'), 'io'],
    [{ kind: 'answer', status: 502, body: '<html>nginx</html>' }, 'unreachable'],
    [{ kind: 'answer', status: 404, body: '<html>nothing</html>' }, 'io'],
    [{ kind: 'reset' }, 'unreachable'],
    [{ kind: 'garbage' }, 'io'],
  ])('%o', async (fault, kind) => {
    const fake = await start();
    const driver = await open(fake);
    await write(driver, 'a', bytes(10));
    fake.fault = () => fault;
    const results = [(await read(driver, 'a')).result, await write(driver, 'b', bytes(10))];
    expect(results.map(outcome)).toEqual([kind, kind]);
    for (const result of results) expect(JSON.stringify(result)).not.toContain(KEY.secret_access_key);
    await expect(driver.list!(undefined, never)).rejects.toMatchObject({ code: 'storage_failed' });
    fake.fault = () => undefined;
    expect((await read(driver, 'a')).value).toEqual(bytes(10));
  });

  test('a refusal says which permission is missing', async () => {
    const fake = await start();
    const driver = await open(fake);
    await write(driver, 'a', bytes(10));
    fake.fault = (kind) => (/PUT|DELETE/.test(kind) ? error(403, 'AccessDenied') : undefined);
    expect(await write(driver, 'b', bytes(10))).toMatchObject({
      error: { kind: 'denied', message: expect.stringContaining('It needs s3:PutObject.') },
    });
    expect(await remove(driver, 'a')).toMatchObject({
      error: { kind: 'denied', message: expect.stringContaining('It needs s3:DeleteObject.') },
    });
    expect((await read(driver, 'a')).value).toEqual(bytes(10));
  });

  test('one key’s failure is no other’s', async () => {
    const fake = await start();
    const driver = await open(fake);
    fake.fault = (_kind, key) => (key.endsWith('b') ? error(500, 'InternalError') : undefined);
    const keys = ['a', 'b', 'c'];
    const results = await driver.write(
      keys.map((key) => ({ key, parts: [bytes(5)] })),
      never,
    );
    expect(results.map(outcome)).toEqual(['stored', 'io', 'stored']);
    expect((await driver.has(keys, never)).map(outcome)).toEqual(['hit', 'io', 'hit']);
    expect((await driver.remove(keys, never)).map(outcome)).toEqual(['removed', 'io', 'removed']);
  });
});

describe('conditional writes:', () => {
  test('what is there is left alone', async () => {
    const fake = await start();
    const driver = await open(fake);
    expect(await write(driver, 'a', bytes(10, 1))).toEqual({ status: 'stored' });
    expect(await write(driver, 'a', bytes(10, 2))).toEqual({ status: 'exists' });
    expect((await read(driver, 'a')).value).toEqual(bytes(10, 1));
  });

  test('a store that has none is asked once', async () => {
    const fake = await start({ conditions: 'refused' });
    const driver = await open(fake);
    for (const key of ['a', 'b', 'c'])
      expect(await write(driver, key, bytes(10))).toEqual({ status: 'stored' });
    expect(count(fake, 'PUT object')).toBe(4);
    expect(fake.headers.filter((headers) => headers['if-none-match'])).toHaveLength(1);
  });

  test('a store that ignores conditions overwrites the value, and that is what is said', async () => {
    const driver = await open(await start({ conditions: 'ignored' }));
    for (const seed of [1, 2])
      expect(await write(driver, 'a', bytes(10, seed))).toEqual({ status: 'stored' });
    expect((await read(driver, 'a')).value).toEqual(bytes(10, 2));
  });

  test('where the key is being changed by another one the value is written', async () => {
    const fake = await start();
    const driver = await open(fake);
    let conflicts = 1;
    fake.fault = (kind) =>
      kind === 'PUT object' && conflicts-- > 0 ? error(409, 'ConditionalRequestConflict') : undefined;
    expect(await write(driver, 'a', bytes(10, 1))).toEqual({ status: 'stored' });
    expect(await write(driver, 'a', bytes(10, 2))).toEqual({ status: 'exists' });
  });

  test('a refusal may come before the store has read the value', async () => {
    const fake = await start();
    const driver = await open(fake);
    const value = bytes(4_000_000);
    fake.fault = (kind) =>
      kind === 'PUT object' ? { kind: 'early', status: 412, code: 'PreconditionFailed' } : undefined;
    expect(await write(driver, 'a', value)).toEqual({ status: 'exists' });
    fake.fault = () => undefined;
    expect(await write(driver, 'a', value)).toEqual({ status: 'stored' });
  });
});

describe('removal:', () => {
  const keys = Array.from({ length: 100 }, (_, i) => pageKey(i));

  async function filled(options: Parameters<typeof startFakeS3>[0] = {}) {
    const fake = await start(options);
    const driver = await open(fake);
    for (const key of keys) fake.objects.set(`tierkv/${key}`, bytes(3));
    fake.requests.length = 0;
    return { fake, driver };
  }

  test('says what was there, and removes it in one request with the checksum that every store knows', async () => {
    const { fake, driver } = await filled();
    const results = await driver.remove([...keys, 'missing'], never);
    expect(results.map(outcome)).toEqual([...keys.map(() => 'removed'), 'miss']);
    expect(fake.objects.size).toBe(0);
    expect([count(fake, 'HEAD object'), count(fake, 'POST bucket')]).toEqual([101, 1]);
    const { headers, body } = fake.last('POST bucket');
    expect(headers['content-md5']).toBe(createHash('md5').update(body).digest('base64'));
    expect(Object.keys(headers).filter((name) => name.includes('checksum'))).toEqual([]);
  });

  test('does not look for what was just listed', async () => {
    const { fake, driver } = await filled();
    expect((await listAll(driver)).sort()).toEqual([...keys].sort());
    expect((await driver.remove(keys, never)).map(outcome)).toEqual(keys.map(() => 'removed'));
    expect(count(fake, 'HEAD object')).toBe(0);
    expect((await driver.remove(keys, never)).map(outcome)).toEqual(keys.map(() => 'miss'));
  });

  test('goes on one by one where a store cannot remove many at once, and asks that once', async () => {
    const { fake, driver } = await filled({ batchDeletes: false });
    expect((await driver.remove(keys.slice(0, 50), never)).map(outcome)).toEqual(
      keys.slice(0, 50).map(() => 'removed'),
    );
    expect((await driver.remove(keys.slice(50), never)).map(outcome)).toEqual(
      keys.slice(50).map(() => 'removed'),
    );
    expect(fake.objects.size).toBe(0);
    expect([count(fake, 'POST bucket'), count(fake, 'DELETE object')]).toEqual([1, 100]);
  });

  test.each([
    [400, 'ExpiredToken'],
    [400, 'RequestTimeout'],
    [400, 'BadDigest'],
    [403, 'RequestTimeTooSkewed'],
  ])(
    'of many in one request is tried again after HTTP %i %s, which says nothing of it',
    async (status, code) => {
      const { fake, driver } = await filled();
      fake.fault = (kind) => (kind === 'POST bucket' ? error(status, code) : undefined);
      expect(new Set((await driver.remove(keys, never)).map(outcome))).not.toContain('removed');
      fake.fault = () => undefined;
      expect(new Set((await driver.remove(keys, never)).map(outcome))).toEqual(new Set(['removed']));
      expect([count(fake, 'POST bucket'), count(fake, 'DELETE object')]).toEqual([2, 0]);
    },
  );

  test.each<S3Fault>([
    error(400, 'MalformedXML'),
    error(501, 'NotImplemented'),
    error(405, 'MethodNotAllowed'),
    { kind: 'answer', status: 400, body: 'what?' },
  ])('goes on one by one after %o', async (fault) => {
    const { fake, driver } = await filled();
    fake.fault = (kind) => (kind === 'POST bucket' ? fault : undefined);
    expect(new Set((await driver.remove(keys, never)).map(outcome))).toEqual(new Set(['removed']));
    expect(count(fake, 'DELETE object')).toBe(100);
  });

  test('tells which keys of one request failed', async () => {
    const { fake, driver } = await filled();
    const body = `<DeleteResult><Error><Key>tierkv/${keys[1]}</Key><Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>`;
    fake.fault = (kind) => (kind === 'POST bucket' ? { kind: 'answer', status: 200, body } : undefined);
    expect((await driver.remove(keys.slice(0, 3), never)).map(outcome)).toEqual([
      'removed',
      'denied',
      'removed',
    ]);
  });
});

describe('lists:', () => {
  test('objects that are not named as keys are not there', async () => {
    const fake = await start();
    const driver = await open(fake);
    for (const key of ['tierkv/a', 'tierkv/A', 'tierkv/b/', 'tierkv/.c', 'tierkv-2/d', 'e', 'tierkv/f&amp;g'])
      fake.objects.set(key, bytes(3));
    expect(await driver.list!(undefined, never)).toEqual({ keys: ['a'], bytes: [3], next: undefined });
  });

  test('a part without a way to the rest is a failure, and no end', async () => {
    const fake = await start();
    const driver = await open(fake);
    const body = '<ListBucketResult><Name>pages</Name><IsTruncated>true</IsTruncated></ListBucketResult>';
    fake.fault = () => ({ kind: 'answer', status: 200, body });
    await expect(driver.list!(undefined, never)).rejects.toMatchObject({ code: 'storage_failed' });
  });
});
