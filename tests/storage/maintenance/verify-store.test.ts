import { describe, expect, it } from 'vitest';
import type { StorageDriver } from '../../../src/storage/driver.ts';
import { passThrough } from '../../../src/storage/layers/pass-through.ts';
import { verifyStore } from '../../../src/storage/maintenance/verify-store.ts';
import { listAll, never } from '../support/calls.ts';
import {
  damaged,
  failing,
  inTime,
  MODELS,
  page,
  pagesOf,
  storeWith,
  type Value,
  withoutLengths,
} from './pages.ts';

const [A, B] = MODELS;
const verify = (store: StorageDriver, more = {}) =>
  inTime((clock) => verifyStore(store, { clock, signal: never, ...more }));
const at = ({ key }: Value, { value }: Value): Value => ({ key, value });

/** One for every reason but `corrupt`. */
const BAD: Value[] = [
  damaged(page(A, 1000), 0),
  damaged(page(A, 1001), 4),
  at(page(A, 1002), page(A, 1)),
  at(page(B, 1003), page(A, 1003)),
  { key: page(A, 1004).key, value: page(A, 1004).value.subarray(0, 600) },
  { key: page(A, 1005).key, value: Buffer.concat([page(A, 1005).value, Buffer.alloc(5000)]) },
  { key: page(A, 1006).key, value: Buffer.alloc(10) },
  damaged(page(A, 1007)),
];
const REASONS = { magic: 1, version: 1, key: 1, fingerprint: 1, length: 3, checksum: 1 };
const OTHERS = [{ key: 'canary/x', value: Buffer.from('x') }];

describe('pages in a store', () => {
  it.each([
    ['tells', (driver: StorageDriver) => driver],
    ['does not tell', withoutLengths],
  ])('that are damaged are removed and counted, where the list %s lengths', async (_, wrap) => {
    const good = [...pagesOf(A, 150), ...pagesOf(B, 3, 3_000_000)];
    const store = await storeWith(...BAD, ...good, ...OTHERS);
    const told: { pages: number; bytes: number }[] = [];
    const report = await verify(wrap(store), { onProgress: (done: (typeof told)[0]) => told.push(done) });
    expect(report).toEqual({
      pages: good.length + BAD.length,
      goodBytes: 150 * 756 + 3 * 3_000_256,
      removed: BAD.length,
      reasons: REASONS,
      others: 1,
      failedPages: 0,
      failed: [],
      problem: null,
    });
    expect(told.at(-1)?.pages).toBe(report.pages);
    expect((await listAll(store)).sort()).toEqual([...good, ...OTHERS].map(({ key }) => key).sort());
  });

  it('stay when only a report is wanted', async () => {
    const store = await storeWith(...BAD, ...pagesOf(A, 10));
    expect(await verify(store, { keep: true })).toMatchObject({
      removed: 0,
      reasons: REASONS,
      problem: null,
    });
    expect(await listAll(store)).toHaveLength(BAD.length + 10);
  });

  it('that cannot be read or removed are told, and the rest is done', async () => {
    const [stuck, hidden] = [BAD[7]!.key, page(A, 5).key];
    const store = failing(await storeWith(...BAD, ...pagesOf(A, 10)), (operation, key) =>
      operation === 'remove' ? key === stuck : key === hidden,
    );
    const report = await verify(store);
    expect(report).toMatchObject({
      pages: BAD.length + 9,
      removed: BAD.length - 1,
      failedPages: 2,
      problem: null,
    });
    expect(report.failed.map(({ key }) => key).sort()).toEqual([stuck, hidden].sort());
  });

  it('are counted as damaged where the store says so itself', async () => {
    const store = await storeWith(...pagesOf(A, 5));
    const base = passThrough(store);
    const corrupt: StorageDriver = {
      ...base,
      read: async (reads, signal) => {
        const results = await base.read(reads, signal);
        return results.map((result, i) =>
          reads[i]?.key === page(A, 2).key
            ? { status: 'error' as const, error: { kind: 'corrupt' as const, message: 'rotten' } }
            : result,
        );
      },
    };
    expect(await verify(corrupt)).toMatchObject({ pages: 5, removed: 1, reasons: { corrupt: 1 } });
  });

  it('that leave meanwhile are neither good nor damaged', async () => {
    const base = passThrough(await storeWith(...pagesOf(A, 3)));
    const list = async () => ({ keys: pagesOf(A, 8).map(({ key }) => key), next: undefined });
    expect(await verify({ ...base, list })).toMatchObject({
      pages: 3,
      removed: 0,
      failedPages: 0,
      problem: null,
    });
  });

  it('are checked once where the list gives a key twice', async () => {
    const base = passThrough(await storeWith(...pagesOf(A, 3)));
    const keys = [...pagesOf(A, 3), ...pagesOf(A, 3)].map(({ key }) => key);
    expect(await verify({ ...base, list: async () => ({ keys, next: undefined }) })).toMatchObject({
      pages: 3,
    });
  });

  it('are not removed when not one is a page by this configuration', async () => {
    const rubbish = pagesOf(A, 30).map(({ key }, i) => ({ key, value: Buffer.alloc(100 + 30 * i, 7) }));
    const store = await storeWith(...rubbish);
    const report = await verify(store);
    expect(report).toMatchObject({
      pages: 30,
      removed: 0,
      problem: expect.stringContaining('configuration'),
    });
    expect(await listAll(store)).toHaveLength(30);
    await store.write([{ key: page(A, 100).key, parts: [page(A, 100).value] }], never);
    expect(await verify(store)).toMatchObject({ pages: 31, removed: 30, problem: null });
  });

  it('are not removed for good pages of another model, nor for ones that are damaged in another way', async () => {
    const sealed = pagesOf(A, 30).map(({ key }, i) => ({ key, value: Buffer.alloc(100 + 30 * i, 7) }));
    const store = await storeWith(
      ...sealed,
      ...pagesOf(B, 10),
      damaged(page(B, 20), 0),
      damaged(page(A, 40)),
    );
    expect(await verify(store)).toMatchObject({
      pages: 42,
      removed: 2,
      problem: expect.stringContaining(`not one page of model ${A} is`),
    });
    expect(await listAll(store)).toHaveLength(40);
  });

  it('of one model are checked, those of others are not looked at', async () => {
    const store = await storeWith(
      ...pagesOf(A, 10),
      damaged(page(A, 20)),
      ...pagesOf(B, 3),
      damaged(page(B, 20)),
    );
    expect(await verify(store, { model: B })).toMatchObject({ pages: 4, removed: 1, problem: null });
    expect(await listAll(store)).toHaveLength(14);
  });

  it('are not all read when a thousand of them are none', async () => {
    const rubbish = pagesOf(A, 1500, 10).map(({ key }) => ({ key, value: Buffer.alloc(300, 7) }));
    const report = await verify(await storeWith(...rubbish));
    expect(report).toMatchObject({ removed: 0, problem: expect.stringContaining('configuration') });
    expect(report.pages).toBeLessThan(1100);
  });

  it('of one model are all read, however many of another one are none', async () => {
    const rubbish = pagesOf(A, 1500, 10).map(({ key }) => ({ key, value: Buffer.alloc(300, 7) }));
    const store = await storeWith(...rubbish, ...pagesOf(B, 20), damaged(page(B, 30)));
    expect(await verify(store)).toMatchObject({
      goodBytes: 20 * 756,
      removed: 1,
      problem: expect.stringContaining(`of model ${A} is`),
    });
  });

  it('are not all asked for in a store that answers nothing', async () => {
    let asked = 0;
    const store = failing(
      await storeWith(...pagesOf(A, 500)),
      (operation) => operation === 'read' && ++asked > 0,
    );
    const report = await verify(store);
    expect(report.problem).toBe('256 failures in a row, the last: unreachable: made by the test');
    expect(report.failedPages).toBeGreaterThanOrEqual(256);
    expect(asked).toBeLessThan(300);
  });

  it('are all asked for however many are encrypted with keys of others', async () => {
    const stored = await storeWith(...pagesOf(A, 500), ...pagesOf(B, 10));
    const store = failing(stored, (operation, key) => operation === 'read' && key.startsWith(A), 'denied');
    expect(await verify(store)).toMatchObject({ pages: 10, failedPages: 500, problem: null });
  });

  it('are those that were checked until it was interrupted', async () => {
    const end = new AbortController();
    const store = await storeWith(...pagesOf(A, 300));
    const onProgress = ({ pages }: { pages: number }) => pages >= 50 && end.abort();
    const report = await verify(store, { signal: end.signal, onProgress });
    expect(report).toMatchObject({ removed: 0, failedPages: 0, problem: 'it was interrupted' });
    expect(report.pages).toBeGreaterThanOrEqual(50);
    expect(report.pages).toBeLessThan(300);
    expect(report.goodBytes).toBe(report.pages * 756);
  });

  it('take little memory together, however long they are', async () => {
    const store = await storeWith(...pagesOf(A, 12, 20_000_000));
    const base = passThrough(store);
    let [inFlight, most] = [0, 0];
    const read: StorageDriver['read'] = async (reads, signal) => {
      const length = reads.flatMap(({ into }) => into).reduce((sum, { byteLength }) => sum + byteLength, 0);
      inFlight += length;
      most = Math.max(most, inFlight);
      const results = await base.read(reads, signal);
      inFlight -= length;
      return results;
    };
    expect(await verify({ ...base, read })).toMatchObject({ pages: 12, problem: null });
    expect(most).toBeLessThanOrEqual(64 << 20);
  });
});
