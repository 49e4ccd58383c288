import { describe, expect, it } from 'vitest';
import { amount, duration } from '../../src/cli/storage/format.ts';
import { WorkLine } from '../../src/cli/storage/work-line.ts';
import { VirtualClock } from '../../src/engine/simulated/virtual-clock.ts';
import { MODELS, pagesOf, storeWith } from '../storage/maintenance/pages.ts';

const [A, B] = MODELS;
const EMPTY = '\r\x1b[2K';

function terminal(isTTY: boolean) {
  const written: string[] = [];
  return { written, output: { isTTY, columns: 80, write: (text: string) => written.push(text) } };
}

describe('the progress of work on a store', () => {
  it('is one line: pages, bytes, speed, and the time that is left when the number of pages is known', async () => {
    const { written, output } = terminal(true);
    const clock = new VirtualClock();
    const line = new WorkLine('migrate', output, clock);
    line.update({ pages: 0, bytes: 0 });
    await line.expect(await storeWith(...pagesOf(A, 40), ...pagesOf(B, 7)), A);
    await clock.advance(100);
    line.update({ pages: 5, bytes: 1 });
    await clock.advance(1900);
    line.update({ pages: 10, bytes: 8_000_000 });
    await clock.advance(2000);
    line.update({ pages: 40, bytes: 32_000_000 });
    line.end();
    expect(written).toEqual([
      `${EMPTY}migrate · 0 pages · 0.0 MB · 0.0 MB/s`,
      `${EMPTY}migrate · 10 of 40 pages · 8.0 MB · 4.0 MB/s · 6.0 s left`,
      `${EMPTY}migrate · 40 of 40 pages · 32.0 MB · 8.0 MB/s`,
      EMPTY,
    ]);
  });

  it('is not seen where there is no terminal, and nothing is counted for it', async () => {
    const { written, output } = terminal(false);
    const line = new WorkLine('verify', output, new VirtualClock());
    const store = await storeWith();
    await line.expect({ ...store, list: () => Promise.reject(new Error('must not be listed')) });
    line.update({ pages: 1 });
    line.end();
    expect(written).toEqual([]);
  });
});

describe('amounts for people', () => {
  it('are in units that fit', () => {
    expect([null, 0, 123_456, 999e6, 12_345e6].map(amount)).toEqual([
      'unknown',
      '0.0 MB',
      '0.1 MB',
      '999.0 MB',
      '12.35 GB',
    ]);
    expect([500, 12_345, 150_000, 7_300_000, 86_400_000].map(duration)).toEqual([
      '0.5 s',
      '12 s',
      '3 min',
      '2.0 h',
      '24.0 h',
    ]);
  });
});
