import { randomBytes } from 'node:crypto';
import { chmod, writeFile } from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { StorageDriver } from '../../../src/storage/driver.ts';
import { memoryDriver } from '../../../src/storage/drivers/memory.ts';
import { createDriver } from '../../../src/storage/factory.ts';
import { encryptLayer } from '../../../src/storage/layers/encrypt/encrypt-layer.ts';
import type { KeySource } from '../../../src/storage/layers/encrypt/key-ring.ts';
import { SEAL_BYTES } from '../../../src/storage/layers/encrypt/sealed-value.ts';
import { passThrough } from '../../../src/storage/layers/pass-through.ts';
import { bytes, has, listAll, never, outcome, pageKey, read, write } from '../support/calls.ts';
import { tamper } from '../support/faulty-driver.ts';
import { temporaryFolder } from '../support/folders.ts';

const source = (seed: number): KeySource => ({
  option: `encrypt.key${seed}`,
  text: bytes(32, seed).toString('hex'),
});
const KEY = pageKey(1);
const VALUE = bytes(2000);

async function encrypted(keys: KeySource[] = [source(1)], store: StorageDriver = memoryDriver()) {
  const unknown: string[] = [];
  const driver = encryptLayer({ keys, onUnknownKey: (key) => unknown.push(key) })(store);
  await driver.open(never);
  return { driver, store, unknown };
}

async function stored(store: StorageDriver, key: string): Promise<Buffer> {
  const { value } = await read(store, key, 100_000);
  return Buffer.from(value!);
}

const values = fc.uint8Array({ maxLength: 3000 });
/** Cuts a value into parts, at any places. */
const cut = (value: Uint8Array, cuts: readonly number[]) => {
  const at = [...cuts.map((c) => c % (value.length + 1)), value.length].sort((a, b) => a - b);
  return at.map((end, i) => value.subarray(i === 0 ? 0 : at[i - 1], end));
};

test('a value comes back as it was, however it is cut, and its caller’s buffers do not change', async () => {
  const { driver, store } = await encrypted();
  const cuts = fc.array(fc.nat(), { maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(values, cuts, cuts, fc.nat(100), async (value, parts, into, more) => {
      const given = Uint8Array.from(value);
      await driver.write([{ key: KEY, parts: cut(given, parts) }], never);
      expect(given).toEqual(value);
      const memory = new Uint8Array(value.length + more);
      const filled: number[] = [];
      const reads = [{ key: KEY, into: cut(memory, into), filled: (n: number) => void filled.push(n) }];
      expect(await driver.read(reads, never)).toEqual([{ status: 'hit', bytes: value.length }]);
      expect(memory.subarray(0, value.length)).toEqual(value);
      expect(filled).toEqual([value.length]);
      expect((await stored(store, KEY)).length).toBe(value.length + SEAL_BYTES);
    }),
  );
});

test('nothing of a value is to be seen in the store, and the same value never looks the same', async () => {
  const { driver, store } = await encrypted();
  const value = Buffer.from('a secret that is long enough to be found. '.repeat(20));
  await write(driver, KEY, value);
  const first = await stored(store, KEY);
  await write(driver, KEY, value);
  const second = await stored(store, KEY);
  for (const each of [first, second]) expect(each.includes('secret')).toBe(false);
  expect(first.subarray(SEAL_BYTES, SEAL_BYTES + 64)).not.toEqual(
    second.subarray(SEAL_BYTES, SEAL_BYTES + 64),
  );
});

test('a value that was changed anywhere is corrupt', async () => {
  const { driver, store } = await encrypted();
  const size = SEAL_BYTES + VALUE.length;
  // Every byte of what stands before a value, and any of the value.
  const place = fc.oneof(fc.nat(SEAL_BYTES - 1), fc.nat(size - 1));
  await fc.assert(
    fc.asyncProperty(place, fc.integer({ min: 1, max: 255 }), async (at, change) => {
      await write(driver, KEY, VALUE);
      await tamper(store, KEY, (value) => {
        value[at]! ^= change;
        return value;
      });
      const { result } = await read(driver, KEY);
      // Another key's name is no key that is known.
      expect(outcome(result)).toBe(at >= 4 && at < 12 ? 'miss' : 'corrupt');
    }),
    { examples: Array.from({ length: SEAL_BYTES + 1 }, (_, at) => [at, 1]) },
  );
});

test.each<[string, (value: Buffer) => Uint8Array]>([
  ['cut by a byte', (value) => value.subarray(0, -1)],
  ['longer by a byte', (value) => Buffer.concat([value, Buffer.alloc(1)])],
  ['nothing but what stands before it', (value) => value.subarray(0, SEAL_BYTES)],
  ['shorter than that', (value) => value.subarray(0, SEAL_BYTES - 1)],
  ['empty', () => Buffer.alloc(0)],
  ['not encrypted', () => VALUE],
])('a value that is %s is corrupt', async (_, change) => {
  const { driver, store } = await encrypted();
  await write(driver, KEY, VALUE);
  await tamper(store, KEY, change);
  expect(outcome((await read(driver, KEY)).result)).toBe('corrupt');
});

test('a value that was moved to another key is corrupt', async () => {
  const { driver, store } = await encrypted();
  await write(driver, KEY, VALUE);
  const other = pageKey(2);
  await write(store, other, await stored(store, KEY));
  expect(outcome((await read(driver, other)).result)).toBe('corrupt');
  expect((await read(driver, KEY)).value).toEqual(VALUE);
});

test('old keys still decrypt, new values have the new key, and what no key fits is a miss that stays', async () => {
  const { driver: before, store } = await encrypted([source(1)]);
  await write(before, KEY, VALUE);
  const rotated = await encrypted([source(2), source(1)], store);
  expect((await read(rotated.driver, KEY)).value).toEqual(VALUE);
  const newer = pageKey(2);
  await write(rotated.driver, newer, VALUE);
  expect(rotated.unknown).toEqual([]);

  const later = await encrypted([source(2)], store);
  expect((await read(later.driver, newer)).value).toEqual(VALUE);
  expect((await read(later.driver, KEY)).result).toEqual({ status: 'miss' });
  expect(later.unknown).toEqual([KEY]);
  // Another server may have its key.
  expect((await read(rotated.driver, KEY)).value).toEqual(VALUE);
  const other = await encrypted([source(3)], store);
  expect((await read(other.driver, newer)).result).toEqual({ status: 'miss' });
});

test('a value of an unknown key makes room for one that can be read, also where a store leaves alone what is there', async () => {
  const folder = await temporaryFolder();
  const open = () => createDriver('file', { path: folder, min_free_space: 0 });
  const before = await encrypted([source(1)], open());
  await write(before.driver, KEY, VALUE);
  await before.driver.close();
  const after = await encrypted([source(2)], open());
  expect((await read(after.driver, KEY)).result).toEqual({ status: 'miss' });
  expect(await has(after.driver, KEY)).toEqual({ status: 'hit' });
  expect(await write(after.driver, KEY, VALUE)).toEqual({ status: 'stored' });
  expect((await read(after.driver, KEY)).value).toEqual(VALUE);
  expect(after.unknown).toEqual([KEY]);
  await after.driver.close();
});

test('buffers that are too short get the beginning, as the contract has it', async () => {
  const { driver } = await encrypted();
  await write(driver, KEY, VALUE);
  const small = [Buffer.alloc(7), Buffer.alloc(500)];
  const [result] = await driver.read([{ key: KEY, into: small }], never);
  expect(outcome(result!)).toBe('size');
  expect(Buffer.concat(small)).toEqual(VALUE.subarray(0, 507));
});

test('bytes that were not authenticated are never said to be there', async () => {
  const { driver, store } = await encrypted();
  await write(driver, KEY, VALUE);
  await tamper(store, KEY, (value) => {
    value[SEAL_BYTES + 100]! ^= 1;
    return value;
  });
  const filled: number[] = [];
  const into = [Buffer.alloc(4000)];
  const [result] = await driver.read([{ key: KEY, into, filled: (n) => void filled.push(n) }], never);
  expect(outcome(result!)).toBe('corrupt');
  expect(filled).toEqual([]);
});

test('lists tell how long values are without what stands before them', async () => {
  const { driver } = await encrypted();
  await write(driver, KEY, VALUE);
  expect(await driver.list!(undefined, never)).toMatchObject({ keys: [KEY], bytes: [VALUE.length] });
  expect(await listAll(driver)).toEqual([KEY]);
});

test('keys may be hexadecimal or base64, from a file too, with an end of line', async () => {
  const key = randomBytes(32);
  const store = memoryDriver();
  const texts = [
    key.toString('hex'),
    key.toString('hex').toUpperCase(),
    key.toString('base64'),
    key.toString('base64url'),
    `${key.toString('base64')}\n`,
  ];
  const { driver } = await encrypted([{ option: 'encrypt.key', text: texts[0]! }], store);
  await write(driver, KEY, VALUE);
  for (const text of texts) {
    const file = path.join(await temporaryFolder(), 'key');
    await writeFile(file, text, { mode: 0o600 });
    for (const each of [
      { option: 'encrypt.key', text },
      { option: 'encrypt.key_file', file },
    ]) {
      const { driver: other } = await encrypted([each], store);
      expect((await read(other, KEY)).value).toEqual(VALUE);
    }
  }
});

test.each<[string, string, number, RegExp]>([
  ['too short', 'ab'.repeat(31), 0o600, /'encrypt\.key_file' must be a key: 32 bytes/],
  ['no text of a key', 'a password', 0o600, /'encrypt\.key_file' must be a key: 32 bytes/],
  ['empty', '', 0o600, /'encrypt\.key_file' must be a key: 32 bytes/],
  [
    'for everybody to read',
    'ab'.repeat(32),
    0o644,
    /'encrypt\.key_file': everybody may read .* \(chmod o=\)/,
  ],
])(
  'a key file that is %s is refused, with its option and without its text',
  async (_, text, mode, message) => {
    const file = path.join(await temporaryFolder(), 'key');
    await writeFile(file, text);
    await chmod(file, mode);
    const error = await encrypted([{ option: 'encrypt.key_file', file }]).catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ code: 'storage_failed', message: expect.stringMatching(message) });
    if (text !== '') expect((error as Error).message).not.toContain(text);
  },
);

test('a key file that is not there is refused, and the store is not opened', async () => {
  let opened = false;
  const store = {
    ...passThrough(memoryDriver()),
    open: async () => {
      opened = true;
    },
  };
  await expect(
    encrypted([{ option: 'encrypt.key_file', file: '/nowhere/key' }], store),
  ).rejects.toMatchObject({
    code: 'storage_failed',
    message: expect.stringMatching(/'encrypt\.key_file' cannot be read: ENOENT/),
  });
  expect(opened).toBe(false);
});
