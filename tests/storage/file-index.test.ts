import { expect, test } from 'vitest';
import { PageIndex } from '../../src/storage/drivers/file/page-index.ts';

test('a scan leaves pages in the order of their use, though the times of their files have none', () => {
  // The system's clock of files ticks every few milliseconds, but tells microseconds; ours tells milliseconds.
  const index = new PageIndex(() => 100);
  const keys = ['n/a', 'n/b', 'n/c'];
  for (const key of keys) index.put(key, 1);
  const began = index.scanBegins();
  const pages = new Map(keys.toReversed().map((key) => [key, { bytes: 1, modified: 100.7 }]));
  index.scanEnds(began, { pages, temporaryBytes: 0, complete: true }, new Set(['n']));
  expect(index.oldestFirst()).toEqual(keys);
});
