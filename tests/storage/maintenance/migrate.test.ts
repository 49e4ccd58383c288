import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../src/engine/simulated/virtual-clock.ts';
import type { StorageDriver, WriteResult } from '../../../src/storage/driver.ts';
import { passThrough } from '../../../src/storage/layers/pass-through.ts';
import {
  type MigrateOptions,
  type MigrateReport,
  migrate,
} from '../../../src/storage/maintenance/migrate.ts';
import { failed } from '../../../src/storage/results.ts';
import { listAll, never, read } from '../support/calls.ts';
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
const OTHERS = ['canary/1', 'notes', `${A}/short`].map((key) => ({ key, value: Buffer.from('mine') }));

/** Migrates, and says how long that took. */
function run(
  source: StorageDriver,
  target: StorageDriver,
  options: Partial<MigrateOptions> = {},
): Promise<MigrateReport & { milliseconds: number }> {
  return inTime(async (clock) => {
    const report = await migrate(source, target, { clock, signal: never, ...options });
    return { ...report, milliseconds: clock.now() };
  });
}

async function valuesOf(store: StorageDriver): Promise<Map<string, Buffer | undefined>> {
  const found = new Map<string, Buffer | undefined>();
  for (const key of (await listAll(store)).sort()) found.set(key, (await read(store, key, 100_000)).value);
  return found;
}

const expected = (values: readonly Value[]) =>
  new Map(
    [...values].sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ key, value }) => [key, Buffer.from(value)]),
  );

const CLEAN = { damaged: 0, gone: 0, others: 0, failedPages: 0, problem: null };

describe('a migration', () => {
  it.each([
    ['tells', (driver: StorageDriver) => driver],
    ['does not tell', withoutLengths],
  ])(
    'copies every good page of every model, and nothing else, where the list %s lengths',
    async (_, wrap) => {
      const good = [...pagesOf(A, 250), ...pagesOf(B, 40, 3000)];
      const bad = [damaged(page(A, 900)), damaged(page(A, 901), 0), damaged(page(B, 902, 3000), 100)];
      const [source, target] = [await storeWith(...good, ...bad, ...OTHERS), await storeWith()];
      const told: { pages: number; bytes: number }[] = [];
      const report = await run(wrap(source), target, { onProgress: (done) => told.push({ ...done }) });
      const bytes = 250 * 756 + 40 * 3256;
      expect(report).toMatchObject({
        ...CLEAN,
        copied: 290,
        bytes,
        damaged: 3,
        reasons: { checksum: 1, magic: 1, key: 1 },
        others: OTHERS.length,
      });
      expect(told.at(-1)).toEqual({ pages: 293, bytes });
      expect(await valuesOf(target)).toEqual(expected(good));
      expect(await listAll(source)).toHaveLength(296);
    },
  );

  it('run again copies nothing that is there, and what has come since', async () => {
    const [source, target] = [await storeWith(...pagesOf(A, 100)), await storeWith()];
    await run(source, target);
    await source.write([{ key: page(A, 200).key, parts: [page(A, 200).value] }], never);
    const reads: string[] = [];
    const counted: StorageDriver = {
      ...passThrough(source),
      read: (given, signal) => {
        reads.push(...given.map(({ key }) => key));
        return source.read(given, signal);
      },
    };
    expect(await run(counted, target)).toMatchObject({
      ...CLEAN,
      copied: 1,
      bytes: 756,
      alreadyThere: 100,
    });
    expect(reads).toEqual([page(A, 200).key]);
  });

  it('of one model leaves the others', async () => {
    const [source, target] = [await storeWith(...pagesOf(A, 10), ...pagesOf(B, 10)), await storeWith()];
    expect(await run(source, target, { model: B })).toMatchObject({ ...CLEAN, copied: 10 });
    expect(await valuesOf(target)).toEqual(expected(pagesOf(B, 10)));
  });

  it('tries again what fails now and then', async () => {
    const times = new Map<string, number>();
    const sometimes = (operation: string, key: string) => {
      const count = (times.get(operation + key) ?? 0) + 1;
      times.set(operation + key, count);
      return key.charCodeAt(70) % 3 === 0 && count <= (operation === 'read' ? 2 : 1);
    };
    const good = pagesOf(A, 200);
    const source = failing(await storeWith(...good), sometimes);
    const store = await storeWith();
    const report = await run(source, failing(store, sometimes));
    expect(report).toMatchObject({ ...CLEAN, copied: 200 });
    expect(report.milliseconds).toBeGreaterThanOrEqual(6_000);
    expect(await valuesOf(store)).toEqual(expected(good));
  });

  it('tells of pages that never come, with the reason', async () => {
    const { key } = page(A, 3);
    const source = failing(await storeWith(...pagesOf(A, 20)), (_, one) => one === key);
    expect(await run(source, await storeWith())).toMatchObject({
      copied: 19,
      failedPages: 1,
      failed: [{ key, reason: 'unreachable: made by the test' }],
      problem: null,
    });
  });

  it('ends when the target is full, and goes on in the next run when there is room', async () => {
    const good = pagesOf(A, 600);
    const [source, store] = [await storeWith(...good), await storeWith()];
    let room = 100;
    const target: StorageDriver = {
      ...passThrough(store),
      write: async (writes, signal): Promise<WriteResult[]> => {
        room -= writes.length;
        return room >= 0 ? store.write(writes, signal) : writes.map(() => failed('full', 'no room'));
      },
    };
    const first = await run(source, target);
    expect(first).toMatchObject({ copied: 100, problem: '256 failures in a row, the last: full: no room' });
    expect(first.failedPages).toBeGreaterThanOrEqual(256);
    room = 10_000;
    expect(await run(source, target)).toMatchObject({ ...CLEAN, copied: 500, alreadyThere: 100 });
    expect(await valuesOf(store)).toEqual(expected(good));
  });

  it('waits for a store that is away for a moment', async () => {
    const good = pagesOf(A, 400);
    const store = await storeWith();
    const report = await inTime((clock) => {
      const away = (operation: string) => operation === 'write' && clock.now() > 20 && clock.now() < 5000;
      const slow: StorageDriver = {
        ...passThrough(store),
        write: (writes, signal) => clock.sleep(10).then(() => store.write(writes, signal)),
      };
      return storeWith(...good).then((source) =>
        migrate(source, failing(slow, away), { clock, signal: never }),
      );
    });
    expect(report).toMatchObject({ ...CLEAN, copied: 400 });
    expect(await valuesOf(store)).toEqual(expected(good));
  });

  it('does not try again what the target will never take', async () => {
    const writes: string[] = [];
    const target: StorageDriver = {
      ...passThrough(await storeWith()),
      write: async (given) => {
        writes.push(...given.map(({ key }) => key));
        return given.map(() => failed('size', 'too large'));
      },
    };
    expect(await run(await storeWith(...pagesOf(A, 5)), target)).toMatchObject({ copied: 0, failedPages: 5 });
    expect(writes).toHaveLength(5);
  });

  it('goes on after however many pages that are encrypted with keys of others', async () => {
    const isOfA = (_: string, key: string) => key.startsWith(A);
    const source = failing(await storeWith(...pagesOf(A, 500), ...pagesOf(B, 10)), isOfA, 'denied');
    expect(await run(source, await storeWith())).toMatchObject({
      copied: 10,
      failedPages: 500,
      problem: null,
      milliseconds: 0,
    });
  });

  it('reads back what it wrote where that is wanted, and does not leave what comes back damaged', async () => {
    const good = pagesOf(A, 20);
    const [source, store] = [await storeWith(...good), await storeWith()];
    let spoilt = 0;
    const target: StorageDriver = {
      ...passThrough(store),
      write: (writes, signal) =>
        store.write(
          writes.map(({ key, parts }) => {
            if (key !== page(A, 7).key || spoilt++ > 0) return { key, parts };
            return { key, parts: [damaged({ key, value: Buffer.concat(parts) }).value] };
          }),
          signal,
        ),
    };
    expect(await run(source, target)).toMatchObject({ ...CLEAN, copied: 20 });
    expect(await valuesOf(store)).not.toEqual(expected(good));
    await store.remove([page(A, 7).key], never);
    spoilt = 0;
    expect(await run(source, target, { verify: true })).toMatchObject({
      ...CLEAN,
      copied: 1,
      alreadyThere: 19,
    });
    expect(spoilt).toBe(2);
    expect(await valuesOf(store)).toEqual(expected(good));
  });

  it('believes a target that says it has a page, unless every page is verified', async () => {
    const [source, bad] = [await storeWith(...pagesOf(A, 20)), [3, 4, 5].map((i) => damaged(page(A, i)))];
    const [unread, torn] = [bad[0]!, damaged(page(A, 30))];
    await source.write([{ key: torn.key, parts: [torn.value] }], never);
    const store = await storeWith(...pagesOf(A, 10).filter((_, i) => i < 3 || i > 5), ...bad, torn);
    const base = passThrough(store);
    // As stores do that leave alone what is there, and hide what is encrypted with a key of others.
    const target: StorageDriver = {
      ...base,
      read: async (reads, signal) => {
        const results = await base.read(reads, signal);
        return results.map((result, i) =>
          reads[i]?.key === unread.key ? failed('denied', 'an unknown key') : result,
        );
      },
      write: async (writes, signal) => {
        const found = await base.has(
          writes.map(({ key }) => key),
          signal,
        );
        if (found[0]?.status === 'hit') return [{ status: 'exists' }];
        return base.write(writes, signal);
      },
    };
    expect(await run(source, target)).toMatchObject({ ...CLEAN, copied: 10, alreadyThere: 11 });
    expect(await run(source, target, { verify: true })).toMatchObject({
      copied: 2,
      alreadyThere: 17,
      damaged: 1,
      failedPages: 1,
      failed: [{ key: unread.key, reason: 'denied: an unknown key' }],
      problem: null,
    });
    const left = new Map([...expected(pagesOf(A, 20)), ...expected([unread, torn])]);
    expect(await valuesOf(store)).toEqual(new Map([...left].sort(([a], [b]) => (a < b ? -1 : 1))));
  });

  it('keeps to its rate', async () => {
    const clock = new VirtualClock();
    const store = await storeWith();
    const written: { at: number; sum: number }[] = [];
    let sum = 0;
    const target: StorageDriver = {
      ...passThrough(store),
      write: async (writes, signal) => {
        for (const { parts } of writes) sum += Buffer.concat(parts).byteLength;
        written.push({ at: clock.now(), sum });
        return store.write(writes, signal);
      },
    };
    const work = migrate(await storeWith(...pagesOf(A, 200, 744)), target, {
      clock,
      signal: never,
      rate: 10_000,
    });
    while (sum < 200_000) {
      await setImmediate();
      await clock.advance(10);
    }
    expect(await work).toMatchObject({ ...CLEAN, copied: 200, bytes: 200_000 });
    // 1000 bytes are a page, and another 1000 what a tenth of a second allows for.
    for (const one of written) expect(one.sum).toBeLessThanOrEqual((one.at * 10_000) / 1000 + 2000);
    expect(written.at(-1)?.at).toBeGreaterThanOrEqual(19_800);
  });

  it('ends where it is when it is interrupted, also in the middle of a wait', async () => {
    const [source, target] = [await storeWith(...pagesOf(A, 300)), await storeWith()];
    const end = new AbortController();
    const onProgress = ({ pages }: { pages: number }) => pages >= 50 && end.abort();
    const report = await run(source, target, { signal: end.signal, onProgress, rate: 1_000_000 });
    expect(report).toMatchObject({ failedPages: 0, problem: 'it was interrupted' });
    expect(await listAll(target)).toHaveLength(report.copied);
    expect(report.copied).toBeLessThan(100);
    expect(await run(source, target)).toMatchObject({
      copied: 300 - report.copied,
      alreadyThere: report.copied,
    });
  });

  it('copies once what the list gives twice, and survives a list that fails in the middle', async () => {
    const good = pagesOf(A, 150);
    const [source, store] = [await storeWith(...good), await storeWith()];
    let fails = true;
    const list: StorageDriver['list'] = async (cursor, signal) => {
      const { keys, next } = await source.list!(cursor, signal);
      if (cursor !== undefined && fails) throw new Error('made by the test');
      return { keys: [...keys, ...keys, 'no page', '../..', ''], next };
    };
    let writes = 0;
    const target: StorageDriver = {
      ...passThrough(store),
      write: (given, signal) => {
        writes += given.length;
        return store.write(given, signal);
      },
    };
    const first = await run({ ...passThrough(source), list }, target);
    expect(first).toMatchObject({ copied: 100, problem: expect.any(String) });
    fails = false;
    const second = await run({ ...passThrough(source), list }, target);
    expect(second).toMatchObject({ copied: 50, alreadyThere: 100, others: 6, problem: null });
    expect(writes).toBe(150);
    expect(await valuesOf(store)).toEqual(expected(good));
  });

  it('takes little memory for large pages', async () => {
    const base = passThrough(await storeWith());
    const source = await storeWith(...pagesOf(A, 12, 20_000_000));
    let [inFlight, most] = [0, 0];
    const write: StorageDriver['write'] = async (writes, signal) => {
      const length = writes
        .flatMap(({ parts }) => parts)
        .reduce((sum, { byteLength }) => sum + byteLength, 0);
      inFlight += length;
      most = Math.max(most, inFlight);
      const results = await base.write(writes, signal);
      inFlight -= length;
      return results;
    };
    expect(await run(source, { ...base, write }, { verify: true })).toMatchObject({ ...CLEAN, copied: 12 });
    expect(most).toBeLessThanOrEqual(64 << 20);
  });
});

it('whatever fails in between, once it is run without failures the target holds exactly the good pages', async () => {
  const kinds = fc.constantFrom('good', 'good', 'good', 'damaged', 'cut', 'other');
  const attempt = fc.record({
    seed: fc.integer({ min: 0, max: 1e6 }),
    /** Of calls for a key, of 100. */
    fails: fc.constantFrom(0, 10, 50, 100),
    endsAfter: fc.constantFrom(1, 5, 20, 1000),
    model: fc.constantFrom(undefined, A),
    verify: fc.boolean(),
  });
  const target = fc.array(fc.nat(59), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(kinds, { maxLength: 60 }),
      target,
      fc.array(attempt, { maxLength: 4 }),
      async (given, there, attempts) => {
        const made = given.map((kind, i) => ({ kind, ...page(i % 2 ? A : B, i, 100) }));
        const values = made.map(({ kind, key, value }) => {
          if (kind === 'damaged') return damaged({ key, value }, 256);
          if (kind === 'cut') return { key, value: value.subarray(0, 300) };
          return kind === 'other' ? { key: key.slice(1), value } : { key, value };
        });
        const good = made.filter(({ kind }) => kind === 'good');
        const early = good.filter((_, i) => there.includes(i));
        const [source, store] = [await storeWith(...values), await storeWith(...early)];
        for (const { seed, fails, endsAfter, model, verify } of attempts) {
          let calls = 0;
          const end = new AbortController();
          const bad = (_: string, key: string) => {
            if (++calls >= endsAfter) end.abort();
            return (Number.parseInt(key.slice(-4), 16) * 31 + calls * 17 + seed) % 100 < fails;
          };
          const report = await run(failing(source, bad), failing(store, bad), {
            signal: end.signal,
            model,
            verify,
          });
          expect(report.copied).toBeLessThanOrEqual(good.length);
        }
        const report = await run(source, store);
        expect(report).toMatchObject({
          damaged: made.filter(({ kind }) => kind === 'damaged' || kind === 'cut').length,
        });
        expect(report.copied + report.alreadyThere).toBe(good.length);
        expect(await valuesOf(store)).toEqual(expected(good));
        expect(await valuesOf(source)).toEqual(expected(values));
      },
    ),
    { numRuns: 60 },
  );
});
