import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';

const root = path.join(import.meta.dirname, '../..');
const page = readFileSync(path.join(root, 'docs/robustness.md'), 'utf8');

/** Rows of the tables: id, and the test files that are named in the last column. */
const rows = [...page.matchAll(/^\| ([A-Z]\d+) .*\|([^|]*)\|$/gm)].map(([, id = '', last = '']) => ({
  id,
  files: [...last.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? ''),
}));

const tests = readdirSync(path.join(root, 'tests'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.ts'))
  .map((file) => ({ file: `tests/${file}`, text: readFileSync(path.join(root, 'tests', file), 'utf8') }));

/** Test files with a test whose name begins with the id. */
function replaying(id: string): string[] {
  const title = new RegExp(`(?:it|test|describe)(?:\\.\\w+)*\\([^'"\`]*['"\`]${id}[:\\b ]`);
  return tests
    .filter(({ text }) => title.test(text))
    .map(({ file }) => file)
    .sort();
}

describe('the table of bugs of others', () => {
  test('has rows', () => {
    expect(rows.length).toBeGreaterThan(20);
  });

  test.each(rows)('$id names the tests that replay it', ({ id, files }) => {
    expect(replaying(id)).not.toEqual([]);
    expect(files).toEqual(replaying(id));
  });
});
