import zlib from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { StorageDriver } from '../../../src/storage/driver.ts';
import { memoryDriver } from '../../../src/storage/drivers/memory.ts';
import { compressLayer } from '../../../src/storage/layers/compress/compress-layer.ts';
import { PACK_BYTES, packHeader } from '../../../src/storage/layers/compress/packed-value.ts';
import { bytes, never, outcome, pageKey, read, write } from '../support/calls.ts';
import { tamper } from '../support/faulty-driver.ts';

const KEY = pageKey(1);
const TEXT = Buffer.from('the same words again and again, '.repeat(2000));

async function compressed(store: StorageDriver = memoryDriver()) {
  const driver = compressLayer({ level: 3 })(store);
  await driver.open(never);
  return { driver, store };
}

async function storedBytes(store: StorageDriver): Promise<number> {
  const { bytes: sizes = [] } = await store.list!(undefined, never);
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Values that compress well, somewhat and not at all. */
const values = fc.oneof(
  fc.uint8Array({ maxLength: 2000 }),
  fc.tuple(fc.nat(300_000), fc.nat(255)).map(([length, byte]) => Buffer.alloc(length, byte)),
  fc.tuple(fc.nat(200_000), fc.nat(1000)).map(([length, seed]) => bytes(length, seed)),
  fc
    .tuple(fc.nat(100_000), fc.nat(100_000), fc.nat(1000))
    .map(([plain, random, seed]) => Buffer.concat([Buffer.alloc(plain, 'words '), bytes(random, seed)])),
);

test('a value comes back as it was, in buffers that are cut elsewhere, and its caller’s buffers do not change', async () => {
  const { driver, store } = await compressed();
  await fc.assert(
    fc.asyncProperty(values, fc.nat(), fc.nat(), fc.nat(100), async (value, a, b, more) => {
      const given = Buffer.from(value);
      const at = a % (value.length + 1);
      await driver.write([{ key: KEY, parts: [given.subarray(0, at), given.subarray(at)] }], never);
      expect(given.equals(value)).toBe(true);
      expect(await storedBytes(store)).toBeLessThanOrEqual(value.length + PACK_BYTES);
      const memory = Buffer.alloc(value.length + more);
      const split = b % (memory.length + 1);
      let filled = -1;
      const read = {
        key: KEY,
        into: [memory.subarray(0, split), memory.subarray(split)],
        filled: (n: number) => {
          filled = memory.subarray(0, n).equals(value) ? n : -2;
        },
      };
      expect(await driver.read([read], never)).toEqual([{ status: 'hit', bytes: value.length }]);
      expect(memory.subarray(0, value.length).equals(value)).toBe(true);
      expect(filled).toBe(value.length);
    }),
    { numRuns: 200 },
  );
});

test('buffers that are too short get the beginning, whatever became of the value in the store', async () => {
  const { driver } = await compressed();
  await fc.assert(
    fc.asyncProperty(values, fc.nat(), async (value, cut) => {
      await write(driver, KEY, value);
      const room = cut % Math.max(1, value.length);
      const small = Buffer.alloc(room);
      const [result] = await driver.read([{ key: KEY, into: [small] }], never);
      if (value.length === 0) {
        expect(result).toEqual({ status: 'hit', bytes: 0 });
        return;
      }
      expect(outcome(result!)).toBe('size');
      expect(small.equals(Buffer.from(value).subarray(0, room))).toBe(true);
    }),
    { numRuns: 200 },
  );
});

test('what becomes smaller by a twentieth is stored compressed, all else as it is', async () => {
  const { driver, store } = await compressed();
  await write(driver, KEY, TEXT);
  expect(await storedBytes(store)).toBeLessThan(TEXT.length / 10);
  for (const [random, isSmaller] of [
    [97, false],
    [90, true],
  ] as const) {
    const value = Buffer.concat([bytes(random * 1000), Buffer.alloc((100 - random) * 1000)]);
    await write(driver, KEY, value);
    expect((await storedBytes(store)) < value.length).toBe(isSmaller);
  }
});

test('a value that was changed anywhere is corrupt or another value, and nothing is thrown', async () => {
  const { driver, store } = await compressed();
  const place = fc.oneof(fc.nat(PACK_BYTES - 1), fc.nat(1000));
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(TEXT, bytes(3000)),
      place,
      fc.integer({ min: 1, max: 255 }),
      async (value, at, change) => {
        await write(driver, KEY, value);
        await tamper(store, KEY, (packed) => {
          packed[at % packed.length]! ^= change;
          return packed;
        });
        const { result } = await read(driver, KEY, value.length);
        // That is integrity’s to notice: this layer has no checksum.
        if (result.status === 'hit') expect(result.bytes).toBe(value.length);
        else expect(['corrupt', 'size']).toContain(outcome(result));
      },
    ),
    { examples: Array.from({ length: PACK_BYTES }, (_, at): [Buffer, number, number] => [TEXT, at, 1]) },
  );
});

test.each<[string, (packed: Buffer) => Uint8Array]>([
  ['cut', (packed) => packed.subarray(0, -1)],
  ['shorter than what stands before it', (packed) => packed.subarray(0, PACK_BYTES - 1)],
  ['empty', () => Buffer.alloc(0)],
  ['not compressed here', () => TEXT],
  [
    'a frame of another length',
    (packed) => Buffer.concat([header(TEXT.length - 1), packed.subarray(PACK_BYTES)]),
  ],
  ['no frame', () => Buffer.concat([header(5000), bytes(300)])],
])('a value that is %s is corrupt', async (_, change) => {
  const { driver, store } = await compressed();
  await write(driver, KEY, TEXT);
  await tamper(store, KEY, change);
  expect(outcome((await read(driver, KEY, TEXT.length)).result)).toBe('corrupt');
});

const header = (length: number) => packHeader({ compressed: true, bytes: length });

const ROOM = 100_000;

test.each([
  ['says that it fits', ROOM],
  ['says that it does not', 10_000_000_000],
])('a frame that becomes a gigabyte makes no more than fits, when it %s', async (_, claimed) => {
  const { driver, store } = await compressed();
  const bomb = zlib.zstdCompressSync(Buffer.alloc(1_000_000_000));
  expect(bomb.length).toBeLessThan(ROOM);
  await write(store, KEY, Buffer.concat([header(claimed), bomb]));
  const before = process.resourceUsage().maxRSS;
  const { result } = await read(driver, KEY, ROOM);
  // The header makes it no page of that length; who may write to the store can say what he likes.
  expect(['corrupt', 'size']).toContain(outcome(result));
  expect(process.resourceUsage().maxRSS - before).toBeLessThan(200_000);
});

test('a call that is aborted while it waits for its turn leaves the buffers alone, and stores nothing that is not packed', async () => {
  const { driver, store } = await compressed();
  const keys = Array.from({ length: 60 }, (_, i) => pageKey(i));
  await driver.write(
    keys.map((key) => ({ key, parts: [TEXT] })),
    never,
  );
  const abort = new AbortController();
  const buffers = keys.map(() => Buffer.alloc(TEXT.length));
  const reading = driver.read(
    keys.map((key, i) => ({ key, into: [buffers[i]!] })),
    abort.signal,
  );
  setImmediate(() => abort.abort());
  const results = await reading;
  expect(results.map(outcome).filter((word) => !['hit', 'aborted'].includes(word))).toEqual([]);
  for (const buffer of buffers) buffer.fill(9);
  await read(driver, keys[0]!, TEXT.length);
  for (const buffer of buffers) expect(buffer.every((byte) => byte === 9)).toBe(true);

  const writing = new AbortController();
  const more = driver.write(
    keys.map((key) => ({ key: `more-${key.slice(0, 50)}`, parts: [TEXT] })),
    writing.signal,
  );
  writing.abort();
  expect(new Set((await more).map(outcome))).toEqual(new Set(['aborted']));
  expect((await driver.list!(undefined, never)).keys.filter((key) => key.startsWith('more'))).toEqual([]);
  expect(await storedBytes(store)).toBeLessThan(keys.length * TEXT.length);
});

test('lists do not tell how long values are, which only they say', async () => {
  const { driver } = await compressed();
  await write(driver, KEY, TEXT);
  expect(await driver.list!(undefined, never)).toEqual({ keys: [KEY], next: undefined });
});
