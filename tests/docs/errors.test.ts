import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { errorTable } from '../../src/shared/errors.ts';

const page = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
const rows = new Map(
  [...page.matchAll(/^\|\s*`(\w+)`\s*\|(?:\s*(\d{3})\s*\|)?/gm)].map((row) => [row[1], row[2]]),
);

test('every error code is documented, with its status where a client can see it', () => {
  expect([...rows.keys()].sort()).toEqual(
    errorTable()
      .map(({ code }) => code)
      .sort(),
  );
  for (const { code, status } of errorTable()) {
    const documented = rows.get(code);
    if (documented !== undefined) expect(`${code} ${documented}`).toBe(`${code} ${status}`);
  }
});
