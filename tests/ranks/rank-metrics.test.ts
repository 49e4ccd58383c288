import { expect, it } from 'vitest';
import { RankMetrics } from '../../src/ranks/rank-metrics.ts';

async function errors(outcomes: Record<string, number>): Promise<[kind: unknown, keys: number][]> {
  const metrics = new RankMetrics(0);
  const observer = metrics.storage('file');
  observer.started('read');
  observer.ended('read', {
    began: 0,
    milliseconds: 1,
    outcomes: new Map(Object.entries(outcomes)),
    bytes: 0,
    error: undefined,
  });
  const report = {
    cells: { capacity: 0, used: 0, evictable: 0 },
    hostPages: { capacity: 0, used: 0 },
    sequences: { running: 0, cached: 0 },
    evictedTokens: { device: 0, host: 0 },
    inFlight: { prefetch: 0, backup: 0 },
    queued: 0,
  };
  const rate = { value: undefined };
  const speeds = { compute: rate, host: rate, storage: rate } as Parameters<RankMetrics['snapshot']>[2];
  const families = await metrics.snapshot(report, 16, speeds, undefined);
  const { values } = families.find(({ name }) => name === 'tierkv_storage_errors_total')!;
  return values.map(({ labels, value }) => [labels.kind, value]);
}

it('what the storage failed on is counted by kind, and what was not wanted any more is no failure', async () => {
  expect(await errors({ hit: 3, timeout: 2, io: 1 })).toEqual([
    ['timeout', 2],
    ['io', 1],
  ]);
  expect(await errors({ hit: 3, miss: 1, aborted: 5 })).toEqual([]);
});
