import { describe, expect, it } from 'vitest';
import type { StorageDriver } from '../../../src/storage/driver.ts';
import { passThrough } from '../../../src/storage/layers/pass-through.ts';
import { type StatOptions, statStore } from '../../../src/storage/maintenance/stat-store.ts';
import { never } from '../support/calls.ts';
import { damaged, failing, inTime, MODELS, page, pagesOf, storeWith, withoutLengths } from './pages.ts';

const [A, B] = MODELS;
const OTHERS = ['canary/1', 'notes', `${A}/short`, `${A.slice(1)}/${A}`, `${A}/${A}/${A}`].map((key) => ({
  key,
  value: Buffer.from('mine'),
}));

const stat = (store: StorageDriver, more: Partial<StatOptions> = {}) =>
  inTime((clock) => statStore(store, { clock, signal: never, ...more }));

describe('what a store holds', () => {
  it('is counted model by model, with what is no page apart', async () => {
    const store = await storeWith(...pagesOf(B, 3, 100), ...pagesOf(A, 250), ...OTHERS);
    const told: number[] = [];
    const counted = await stat(store, { onProgress: (pages) => told.push(pages) });
    expect(counted).toMatchObject({
      models: [
        { model: A, pages: 250, bytes: 250 * 756 },
        { model: B, pages: 3, bytes: 3 * 356 },
      ],
      pages: 253,
      bytes: 250 * 756 + 3 * 356,
      others: OTHERS.length,
      usage: { quotaBytes: 2 ** 30 },
      failed: [],
      problem: null,
    });
    expect(told.at(-1)).toBe(253);
  });

  it('has an unknown length where the list does not tell, unless pages are read', async () => {
    const store = withoutLengths(await storeWith(...pagesOf(A, 20), damaged(page(A, 30))));
    expect(await stat(store)).toMatchObject({ pages: 21, bytes: null });
    expect(await stat(store, { readFrom: store })).toMatchObject({
      pages: 21,
      bytes: 21 * 756,
    });
  });

  it('is told with the pages that cannot be read', async () => {
    const { key } = page(A, 3);
    const store = failing(withoutLengths(await storeWith(...pagesOf(A, 5))), (_, failed) => failed === key);
    expect(await stat(store, { readFrom: store })).toMatchObject({
      pages: 5,
      bytes: null,
      failed: [{ key, reason: 'unreachable: made by the test' }],
    });
  });

  it('is all counted, however many pages are encrypted with keys of others', async () => {
    const stored = withoutLengths(await storeWith(...pagesOf(A, 500), ...pagesOf(B, 10)));
    const store = failing(stored, (_, key) => key.startsWith(A), 'denied');
    expect(await stat(store, { readFrom: store })).toMatchObject({
      models: [
        { model: A, pages: 500, bytes: null },
        { model: B, pages: 10, bytes: 10 * 756 },
      ],
      problem: null,
    });
  });

  it('believes no lengths that are none', async () => {
    const store = await storeWith(...pagesOf(A, 4));
    const list = async () => ({
      keys: pagesOf(A, 4).map(({ key }) => key),
      bytes: [1, -1, Number.NaN, 0.5],
      next: undefined,
    });
    expect(await stat({ ...passThrough(store), list })).toMatchObject({
      pages: 4,
      bytes: null,
    });
  });

  it.each([
    [
      'fails',
      async () => Promise.reject(new Error('made by the test')),
      'An internal error; the log has the details.',
    ],
    [
      'goes round in circles',
      async (cursor?: string) => ({ keys: [page(A, 1).key], next: cursor === 'x' ? 'y' : 'x' }),
      "Storage backend 'memory': its list goes round in circles",
    ],
  ])('is not all when the list %s', async (_, list, problem) => {
    const store = { ...passThrough(await storeWith()), list };
    expect(await stat(store)).toMatchObject({ problem });
  });

  it('cannot be told of a store that cannot list', async () => {
    const store: StorageDriver = { ...passThrough(await storeWith()), list: undefined } as StorageDriver;
    expect(await stat(store)).toMatchObject({
      pages: 0,
      problem: "Storage backend 'memory': it cannot list what it holds",
    });
  });

  it('is what was counted until it was interrupted', async () => {
    const end = new AbortController();
    const store = await storeWith(...pagesOf(A, 250));
    const onProgress = (pages: number) => pages === 100 && end.abort();
    const counted = await stat(store, {
      signal: end.signal,
      onProgress: (pages) => void onProgress(pages),
    });
    expect(counted).toMatchObject({ pages: 100, problem: 'it was interrupted' });
  });
});
