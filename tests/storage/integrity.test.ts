import { expect, test } from 'vitest';
import type { Read, ReadResult, StorageDriver } from '../../src/storage/driver.ts';
import { createDriver } from '../../src/storage/factory.ts';
import { integrityLayer } from '../../src/storage/layers/integrity.ts';
import { HEADER_BYTES } from '../../src/storage/layers/page-header.ts';
import { passThrough } from '../../src/storage/layers/pass-through.ts';
import { bytes, has, never, outcome, pageKey, read, write } from './support/calls.ts';
import { tamper } from './support/faulty-driver.ts';
import { temporaryFolder } from './support/folders.ts';
import { FINGERPRINT } from './support/layers.ts';

const KEY = pageKey(1);
const VALUE = bytes(2000);

/** A page in a store, and the rejections that reads of it give. */
async function storedPage(store = createDriver('memory', {}), fingerprint = FINGERPRINT) {
  const rejected: string[] = [];
  const driver = integrityLayer({
    fingerprint,
    onRejected: (reason, key) => rejected.push(`${reason} ${key}`),
  })(store);
  await driver.open(never);
  expect(await write(driver, KEY, VALUE)).toEqual({ status: 'stored' });
  return { store, driver, rejected };
}

async function expectRejected(
  { store, driver, rejected }: { store: StorageDriver; driver: StorageDriver; rejected: string[] },
  reason: string,
) {
  expect((await read(driver, KEY)).result).toEqual({ status: 'miss' });
  expect(rejected).toEqual([`${reason} ${KEY}`]);
  expect(await has(store, KEY)).toEqual({ status: 'miss' });
  // It is an ordinary miss from then on, and can be written again.
  expect((await read(driver, KEY)).result).toEqual({ status: 'miss' });
  expect(await write(driver, KEY, VALUE)).toEqual({ status: 'stored' });
  expect((await read(driver, KEY)).value).toEqual(VALUE);
  expect(rejected).toHaveLength(1);
}

const flip = (at: number) => (value: Buffer) => {
  value[at]! ^= 1;
  return value;
};

test.each<[string, string, (value: Buffer) => Uint8Array]>([
  ['half-written', 'length', (value) => value.subarray(0, value.length / 2)],
  ['cut within its header', 'length', (value) => value.subarray(0, HEADER_BYTES - 1)],
  ['empty', 'length', () => Buffer.alloc(0)],
  ['longer than it was', 'length', (value) => Buffer.concat([value, Buffer.alloc(1)])],
  [
    'much longer than its reader’s buffers',
    'length',
    (value) => Buffer.concat([value, Buffer.alloc(100_000)]),
  ],
  ['of the same size with one bit changed', 'checksum', flip(HEADER_BYTES + 1234)],
  ['changed in its last byte', 'checksum', flip(HEADER_BYTES + VALUE.length - 1)],
  ['changed in its checksum', 'checksum', flip(HEADER_BYTES - 1)],
  ['changed in its key’s padding', 'checksum', flip(200)],
  ['full of zeros', 'magic', (value) => Buffer.alloc(value.length)],
  ['zero from the middle on', 'checksum', (value) => value.fill(0, 1000)],
  ['somebody else’s file', 'magic', () => Buffer.from('name,value\n'.repeat(50))],
  ['of another version of the format', 'version', flip(4)],
  ['of a key that cannot be one', 'key', flip(7)],
  ['without a header', 'magic', (value) => value.subarray(HEADER_BYTES)],
])('W4: a page that is %s is a miss, is removed and is counted', async (_, reason, change) => {
  const page = await storedPage();
  await tamper(page.store, KEY, change);
  await expectRejected(page, reason);
});

test('W4: pages of two keys that were swapped are misses', async () => {
  const page = await storedPage();
  const other = pageKey(2);
  await write(page.driver, other, bytes(2000, 2));
  let first: Uint8Array = Buffer.alloc(0);
  await tamper(page.store, KEY, (value) => (first = value));
  await tamper(page.store, other, (second) => {
    const swapped = first;
    first = second;
    return swapped;
  });
  await tamper(page.store, KEY, () => first);
  expect((await read(page.driver, other)).result).toEqual({ status: 'miss' });
  expect(page.rejected.splice(0)).toEqual([`key ${other}`]);
  await expectRejected(page, 'key');
});

test('W4: a page of another model is a miss', async () => {
  const { store } = await storedPage(undefined, 'f'.repeat(64));
  const page = await storedPage(store);
  await tamper(page.store, KEY, (value) => {
    value.write('f'.repeat(64), 16, 'hex');
    return value;
  });
  await expectRejected(page, 'fingerprint');
});

test('W5: a page is a hit only after its bytes were verified, in the middle of a batch too', async () => {
  const page = await storedPage(createDriver('file', { path: await temporaryFolder() }));
  const keys = Array.from({ length: 20 }, (_, i) => pageKey(100 + i));
  await page.driver.write(
    keys.map((key, i) => ({ key, parts: [bytes(3000, i)] })),
    never,
  );
  for (const i of [3, 11]) await tamper(page.store, keys[i]!, flip(HEADER_BYTES + 77));
  const into = keys.map(() => [Buffer.alloc(1000), Buffer.alloc(5000)]);
  const results = await page.driver.read(
    keys.map((key, i) => ({ key, into: into[i]! })),
    never,
  );
  expect(results.map(outcome)).toEqual(keys.map((_, i) => ([3, 11].includes(i) ? 'miss' : 'hit')));
  results.forEach((result, i) => {
    if (result.status === 'hit')
      expect(Buffer.concat(into[i]!).subarray(0, result.bytes)).toEqual(bytes(3000, i));
  });
  expect(page.rejected.sort()).toEqual([`checksum ${keys[3]}`, `checksum ${keys[11]}`].sort());
  expect((await page.driver.has(keys, never)).map(outcome).filter((word) => word === 'miss')).toHaveLength(2);
  await page.driver.close();
});

test('a page is verified when the driver says that it is there, before it answers', async () => {
  const { store } = await storedPage(createDriver('file', { path: await temporaryFolder() }));
  await tamper(store, KEY, flip(HEADER_BYTES + 7));
  const rejected: string[] = [];
  const driver = integrityLayer({ fingerprint: FINGERPRINT, onRejected: (reason) => rejected.push(reason) })({
    ...passThrough(store),
    // The bytes were wrong when it said so; that they are right later makes them no page.
    read: async (reads, signal) => {
      const results = await store.read(reads, signal);
      for (const { into } of reads) into[1]![7]! ^= 1;
      return results;
    },
  });
  expect((await read(driver, KEY)).result).toEqual({ status: 'miss' });
  expect(rejected).toEqual(['checksum']);
  await store.close();
});

test.each<[string, (read: Read, result: ReadResult) => ReadResult, string]>([
  ['another length', (_, result) => ({ ...result, bytes: HEADER_BYTES + 1999 }), 'miss'],
  ['a miss', () => ({ status: 'miss' }), 'miss'],
  ['an error', () => ({ status: 'error', error: { kind: 'io', message: 'no' } }), 'io'],
])(
  'bytes that the driver said were there are no page when it answers with %s',
  async (_, answer, expected) => {
    const { store } = await storedPage();
    const driver = integrityLayer({ fingerprint: FINGERPRINT, onRejected: () => undefined })({
      ...passThrough(store),
      read: async (reads, signal) => {
        const results = await store.read(reads, signal);
        for (const each of reads) each.filled?.(HEADER_BYTES + VALUE.length);
        return results.map((result, i) => answer(reads[i]!, result));
      },
    });
    expect(outcome((await read(driver, KEY)).result)).toBe(expected);
  },
);

test('a value that the driver itself calls corrupt is a miss and is removed', async () => {
  const page = await storedPage();
  const corrupt = { status: 'error', error: { kind: 'corrupt', message: 'cannot be decoded' } } as const;
  const rejected: string[] = [];
  const driver = integrityLayer({ fingerprint: FINGERPRINT, onRejected: (reason) => rejected.push(reason) })({
    ...page.store,
    read: async (reads) => reads.map(() => corrupt),
  });
  expect((await read(driver, KEY)).result).toEqual({ status: 'miss' });
  expect(rejected).toEqual(['corrupt']);
  expect(await has(page.store, KEY)).toEqual({ status: 'miss' });
});

test('a rejected page that cannot be removed is a miss all the same', async () => {
  const page = await storedPage();
  await tamper(page.store, KEY, flip(HEADER_BYTES));
  const driver = integrityLayer({ fingerprint: FINGERPRINT, onRejected: () => {} })({
    ...page.store,
    remove: async (keys) => keys.map(() => ({ status: 'error', error: { kind: 'denied', message: 'no' } })),
  });
  expect((await read(driver, KEY)).result).toEqual({ status: 'miss' });
  expect((await read(driver, KEY)).result).toEqual({ status: 'miss' });
});

test('buffers that are too small for a good page are the caller’s mistake, and the page stays', async () => {
  const page = await storedPage();
  expect(outcome((await read(page.driver, KEY, 1999)).result)).toBe('size');
  expect((await read(page.driver, KEY)).value).toEqual(VALUE);
  expect(page.rejected).toEqual([]);
});

test('the largest value leaves room for the header', async () => {
  const { store, driver } = await storedPage();
  expect(driver.capabilities.largestValue).toBe(store.capabilities.largestValue - HEADER_BYTES);
});
