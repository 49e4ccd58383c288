import { globSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { listBackends } from '../../src/storage/factory.ts';
import { describeOptions } from '../../src/storage/option-texts.ts';

const DOCS = path.join(import.meta.dirname, '../../docs');

/** The rows of every table of a page whose first column is called so. */
function rowsOf(page: string, first: string): string[][] {
  const rows: string[][] = [];
  let inTable = false;
  for (const line of page.split('\n')) {
    const cells = line.startsWith('|') ? line.split('|').slice(1, -1) : [];
    const [head = ''] = cells.map((cell) => cell.trim());
    if (head === '') inTable = false;
    else if (head === first) inTable = true;
    else if (inTable && !head.startsWith('---')) rows.push(cells.map((cell) => cell.trim()));
  }
  return rows;
}

describe.each(listBackends())('the page of the backend $name', ({ name, options }) => {
  test('has every option, with its meaning, in the order of the schema', async () => {
    const page = await readFile(path.join(DOCS, 'backends', `${name}.md`), 'utf8');
    const rows = rowsOf(page, 'option');
    expect(rows.map(([option]) => option)).toEqual(
      describeOptions(options).map((option) => `\`${option.name}\``),
    );
    for (const row of rows)
      expect(
        row.every((cell) => cell !== ''),
        row[0],
      ).toBe(true);
  });

  test('is in the list of backends', async () => {
    const index = await readFile(path.join(DOCS, 'storage.md'), 'utf8');
    expect(index).toContain(`[\`${name}\`](backends/${name}.md)`);
  });
});

test('every page of the documentation is linked to, and every link leads somewhere', async () => {
  const root = path.join(DOCS, '..');
  const pages = ['README.md', 'CONTRIBUTING.md', ...globSync('docs/**/*.md', { cwd: root })];
  const linked = new Set<string>();
  for (const page of pages) {
    const text = await readFile(path.join(root, page), 'utf8');
    for (const [, target = ''] of text.matchAll(/\]\(([^)#:\s]+)(?:#[^)]*)?\)/g)) {
      const file = path.normalize(path.join(path.dirname(page), target));
      await expect(readFile(path.join(root, file)), `${page} links to ${target}`).resolves.toBeDefined();
      linked.add(file);
    }
  }
  expect(pages.filter((page) => page.startsWith('docs') && !linked.has(page))).toEqual([]);
});
