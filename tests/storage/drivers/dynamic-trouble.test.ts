/** Plugins that misbehave while they are used: it stays their own. */
import { readFile, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { StorageDriver } from '../../../src/storage/driver.ts';
import { createDriver } from '../../../src/storage/factory.ts';
import { bytes, has, never, outcome, read, remove, write } from '../support/calls.ts';
import { temporaryFolder } from '../support/folders.ts';
import { driverOf, driverSource, sglangSource } from '../support/plugin.ts';

const open: StorageDriver[] = [];
afterEach(async () => {
  for (const driver of open.splice(0)) await driver.close();
});

async function opened(source: string, className: string): Promise<StorageDriver> {
  const driver = await driverOf(source, { class_name: className });
  open.push(driver);
  await driver.open(never);
  return driver;
}
const store = (methods: string) => opened(sglangSource(methods), 'Store');
const plugin = (members: string) => opened(driverSource(members), 'Driver');

describe("a store in SGLang's shape", () => {
  test.each<[string, string, (driver: StorageDriver) => Promise<{ status: string }>]>([
    ['exists gives a number', 'exists() { return 1; }', (driver) => has(driver, 'a')],
    ['exists throws', 'exists() { throw new Error("no"); }', (driver) => has(driver, 'a')],
    ['get gives a text', 'get() { return "text"; }', async (driver) => (await read(driver, 'a')).result],
    ['get rejects', 'async get() { throw undefined; }', async (driver) => (await read(driver, 'a')).result],
    ['set gives nothing', 'set() {}', (driver) => write(driver, 'a', bytes(3))],
    ['set gives false', 'set() { return false; }', (driver) => write(driver, 'a', bytes(3))],
    ['batch_set gives false', 'batch_set() { return false; }', (driver) => write(driver, 'a', bytes(3))],
    [
      'batch_set gives too many',
      'batch_set() { return [true, true]; }',
      (driver) => write(driver, 'a', bytes(3)),
    ],
    ['batch_set gives a false', 'batch_set() { return [false]; }', (driver) => write(driver, 'a', bytes(3))],
    [
      'batch_get gives none',
      'batch_get() { return []; }',
      async (driver) => (await read(driver, 'a')).result,
    ],
    [
      'batch_get gives numbers',
      'batch_get() { return [5]; }',
      async (driver) => (await read(driver, 'a')).result,
    ],
    ['batch_exists gives true', 'batch_exists() { return true; }', (driver) => has(driver, 'a')],
    ['batch_exists gives too many', 'batch_exists() { return 2; }', (driver) => has(driver, 'a')],
    ['batch_exists gives less than none', 'batch_exists() { return -1; }', (driver) => has(driver, 'a')],
    ['delete gives nothing', 'delete() {}', (driver) => remove(driver, 'a')],
  ])('where %s, the key fails with kind io', async (_, methods, call) => {
    expect(outcome(await call(await store(methods)))).toBe('io');
  });

  test('batch_exists counts the keys before the first one that is missing, and others are asked for by themselves', async () => {
    const driver = await store(`
      batch_exists(keys) { const i = keys.findIndex((key) => !this.exists(key)); return i < 0 ? keys.length : i; }`);
    for (const key of ['a', 'b', 'd']) await write(driver, key, bytes(3));
    expect((await driver.has(['a', 'b', 'c', 'd', 'e'], never)).map(outcome)).toEqual([
      'hit',
      'hit',
      'miss',
      'hit',
      'miss',
    ]);
  });

  test('batch_set may say what became of each value', async () => {
    const driver = await store('batch_set(keys, values) { return keys.map((key) => key !== "b"); }');
    const writes = ['a', 'b', 'c'].map((key) => ({ key, parts: [bytes(3)] }));
    expect((await driver.write(writes, never)).map(outcome)).toEqual(['stored', 'io', 'stored']);
  });

  test('what was removed is a miss for who reads it in another process too, where the store cannot delete', async () => {
    const folder = await temporaryFolder();
    const source = `
      import { existsSync, readFileSync, writeFileSync } from 'node:fs';
      export class Store {
        constructor({ path }) { this.file = (key) => path + '/' + key; }
        exists(key) { return existsSync(this.file(key)); }
        get(key) { return this.exists(key) ? readFileSync(this.file(key)) : null; }
        set(key, value) { writeFileSync(this.file(key), value); return true; }
      }`;
    const [one, other] = [
      await driverOf(source, { class_name: 'Store', path: folder }),
      await driverOf(source, { class_name: 'Store', path: folder }),
    ];
    open.push(one, other);
    await one.open(never);
    await other.open(never);
    await write(one, 'a', bytes(50));
    expect((await read(other, 'a')).value).toEqual(bytes(50));
    expect(await remove(one, 'a')).toEqual({ status: 'removed' });
    expect((await read(other, 'a')).result).toEqual({ status: 'miss' });
    expect(await write(other, 'a', bytes(20))).toEqual({ status: 'stored' });
    expect((await read(one, 'a')).value).toEqual(bytes(20));
  });

  test('the plugin may keep what it is given, and what it gives stays its own', async () => {
    const driver = await store('get(key) { return this.values.get(key) ?? null; }');
    const value = bytes(100);
    await write(driver, 'a', value);
    value.fill(0);
    const first = (await read(driver, 'a')).value;
    first?.fill(1);
    expect((await read(driver, 'a')).value).toEqual(bytes(100));
  });
});

describe('a driver in a plugin', () => {
  test.each<[string, string]>([
    ['throws', 'has() { throw new Error("no"); }'],
    ['rejects', 'async has() { throw new Error("no"); }'],
    ['throws what is no error', 'has() { throw { get message() { throw 1; } }; }'],
    ['answers with nothing', 'has() {}'],
    ['answers with too little', 'async has() { return []; }'],
    ['answers with what is no result', 'async has() { return [{ status: "maybe" }]; }'],
    ['answers with what cannot be read', 'async has() { return [{ get status() { throw 1; } }]; }'],
    [
      'fails with a kind that is not known',
      'async has() { return [{ status: "error", error: { kind: "odd", message: "" } }]; }',
    ],
  ])('where it %s, the key fails with kind io', async (_, members) => {
    expect(outcome(await has(await plugin(members), 'a'))).toBe('io');
  });

  test('a read that says to be longer than its buffers fails with kind io', async () => {
    const driver = await plugin('async read() { return [{ status: "hit", bytes: 5000 }]; }');
    expect(outcome((await read(driver, 'a')).result)).toBe('io');
  });

  test('results may hold what cannot be passed between threads', async () => {
    const driver = await plugin('async has() { return [{ status: "hit", extra: () => 1 }]; }');
    expect(await has(driver, 'a')).toEqual({ status: 'hit' });
  });

  test('it is called with no more keys than it takes', async () => {
    const driver = await plugin(
      'async has(keys) { return keys.map(() => ({ status: keys.length > 8 ? "miss" : "hit" })); }',
    );
    const keys = Array.from({ length: 30 }, (_, i) => `k${i}`);
    expect(new Set((await driver.has(keys, never)).map(outcome))).toEqual(new Set(['hit']));
  });

  test('a value that is too large for it fails alone', async () => {
    const driver = await plugin('');
    const writes = [3, (1 << 20) + 1, 1 << 20].map((length, i) => ({
      key: `k${i}`,
      parts: [Buffer.alloc(length)],
    }));
    expect((await driver.write(writes, never)).map(outcome)).toEqual(['stored', 'size', 'stored']);
    expect(driver.capabilities.largestValue).toBe(1 << 20);
  });

  test('its signal aborts when the call’s does', async () => {
    const driver = await plugin(`
      aborted = false;
      async read(reads, signal) { await new Promise((resolve) => signal.addEventListener('abort', resolve)); this.aborted = true; return reads.map(() => ({ status: 'miss' })); }
      async has(keys) { return keys.map(() => ({ status: this.aborted ? 'hit' : 'miss' })); }`);
    const signal = new AbortController();
    const reading = driver.read([{ key: 'a', into: [Buffer.alloc(1)] }], signal.signal);
    setImmediate(() => signal.abort());
    expect((await reading).map(outcome)).toEqual(['aborted']);
    await expect.poll(() => has(driver, 'a')).toEqual({ status: 'hit' });
  });

  test('one that cannot list says so', async () => {
    const driver = await plugin('');
    const message = expect.stringContaining('it cannot list what it holds');
    await expect(driver.list!(undefined, never)).rejects.toMatchObject({ code: 'storage_failed', message });
  });

  const LISTS = 'capabilities = { batch: 8, largestValue: 1 << 20, list: true };';
  test('lengths that it lists arrive, and others are refused', async () => {
    const driver = await plugin(`${LISTS} async list() { return { keys: ['a', 'b'], bytes: [1, 20] }; }`);
    expect(await driver.list!(undefined, never)).toMatchObject({ keys: ['a', 'b'], bytes: [1, 20] });
    const wrong = await plugin(`${LISTS} async list() { return { keys: ['a', 'b'], bytes: [1] }; }`);
    const message = expect.stringContaining('one length per key');
    await expect(wrong.list!(undefined, never)).rejects.toMatchObject({ code: 'storage_failed', message });
  });

  test('a close that never ends is not waited for', { timeout: 30_000 }, async () => {
    const driver = await plugin('close() { for (;;); }');
    await driver.close();
    expect(outcome(await has(driver, 'a'))).toBe('closed');
  });
});

describe('a thread that ends', () => {
  test.each<[string, string]>([
    [
      'an exception of nobody',
      'setTimeout(() => { throw new Error("stray"); }); await new Promise(() => {});',
    ],
    ['a rejection of nobody', 'Promise.reject(new Error("stray")); await new Promise(() => {});'],
    ['an end of its process', 'process.exit(1);'],
    ['a memory that is too small', 'const all = []; for (;;) all.push(new Array(1e6).fill({}));'],
  ])('by %s fails the calls under way, and the next one has a new thread', async (_, code) => {
    const driver = await plugin(`
      async read(reads) { ${code} }
      async has(keys) { return keys.map(() => ({ status: 'hit' })); }`);
    const { result } = await read(driver, 'a');
    expect(outcome(result)).toBe('unreachable');
    expect(await has(driver, 'a')).toEqual({ status: 'hit' });
  });

  test('because it never returns, once nobody waits for it any more, is replaced', {
    timeout: 60_000,
  }, async () => {
    const driver = await plugin(`
      async read(reads) { for (;;); }
      async has(keys) { return keys.map(() => ({ status: 'hit' })); }`);
    const signal = new AbortController();
    const reading = driver.read([{ key: 'a', into: [Buffer.alloc(1)] }], signal.signal);
    setImmediate(() => signal.abort());
    expect((await reading).map(outcome)).toEqual(['aborted']);
    // The thread is given some seconds to hear of it.
    await expect.poll(() => has(driver, 'a'), { timeout: 50_000 }).toEqual({ status: 'hit' });
  });

  test('because an aborted call never ends, though it is not blocked, is replaced', async () => {
    const driver = await plugin(`
      lives = 'hit';
      async read(reads) { this.lives = 'miss'; await new Promise(() => {}); }
      async has(keys) { return keys.map(() => ({ status: this.lives })); }`);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const signal = new AbortController();
      const reading = driver.read([{ key: 'a', into: [Buffer.alloc(1)] }], signal.signal);
      setImmediate(() => signal.abort());
      expect((await reading).map(outcome)).toEqual(['aborted']);
      // It hears everything.
      expect(await has(driver, 'a')).toEqual({ status: 'miss' });
      vi.advanceTimersByTime(9_999);
      expect(await has(driver, 'a')).toEqual({ status: 'miss' });
      vi.advanceTimersByTime(1);
      expect(await has(driver, 'a')).toEqual({ status: 'hit' });
    } finally {
      vi.useRealTimers();
    }
  });

  test('is not replaced where aborted calls end', async () => {
    const driver = await plugin(`
      calls = 0;
      async read(reads, signal) { this.calls++; await new Promise((resolve) => signal.addEventListener('abort', resolve)); return reads.map(() => ({ status: 'miss' })); }
      async has(keys) { return keys.map(() => ({ status: this.calls > 0 ? 'hit' : 'miss' })); }`);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const signal = new AbortController();
      const reading = driver.read([{ key: 'a', into: [Buffer.alloc(1)] }], signal.signal);
      setImmediate(() => signal.abort());
      expect((await reading).map(outcome)).toEqual(['aborted']);
      expect(await has(driver, 'a')).toEqual({ status: 'hit' });
      vi.advanceTimersByTime(100_000);
      expect(await has(driver, 'a')).toEqual({ status: 'hit' });
    } finally {
      vi.useRealTimers();
    }
  });

  test('and cannot be started again is tried now and then, not for every call', async () => {
    const folder = await temporaryFolder();
    const source = driverSource(`
      constructor({ folder }) { super(); this.folder = folder; }
      async open() {
        const { appendFileSync, existsSync } = await import('node:fs');
        appendFileSync(this.folder + '/starts', 'x');
        if (existsSync(this.folder + '/broken')) throw new Error('broken');
      }
      async read() { process.exit(1); }`);
    const driver = await driverOf(source, { class_name: 'Driver', folder });
    open.push(driver);
    await driver.open(never);
    await writeFile(`${folder}/broken`, '');
    expect(outcome((await read(driver, 'a')).result)).toBe('unreachable');
    for (let i = 0; i < 40; i++) expect(outcome(await has(driver, 'a'))).toBe('io');
    expect((await readFile(`${folder}/starts`)).length).toBeLessThan(20);
    await unlink(`${folder}/broken`);
    await expect.poll(() => has(driver, 'a'), { timeout: 50_000 }).toEqual({ status: 'miss' });
  });

  test('what the file says by then is what the next attachment runs', async () => {
    const folder = await temporaryFolder();
    const version = (status: string) =>
      driverSource(`async has(keys) { return keys.map(() => ({ status: '${status}' })); }`);
    const make = () =>
      createDriver('dynamic', { module_path: 'plugin.mjs', class_name: 'Driver' }, { dynamicFolder: folder });
    const file = path.join(folder, 'plugin.mjs');
    await writeFile(file, version('miss'));
    const before = make();
    await before.open(never);
    await writeFile(file, version('hit'));
    const after = make();
    await after.open(never);
    open.push(before, after);
    expect([await has(before, 'a'), await has(after, 'a')]).toEqual([{ status: 'miss' }, { status: 'hit' }]);
  });
});
