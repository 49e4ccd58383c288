import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { rounded } from '../../../src/bench/statistics.ts';
import { engineEnvironment } from '../../../src/ranks/rank-environment.ts';
import { table } from '../../support/page.ts';
import { type Measured, type Settings, withModel } from '../../support/parts.ts';
import type { MeasuredPageSize } from './page-size.ts';

const PAGE_SIZES = [16, 32, 64];
const PROGRAM = path.join(import.meta.dirname, 'page-size.ts');

/** What the size of a page decides: speed of the moves between the tiers, bookkeeping, and what is lost at its borders. */
export async function measurePages(settings: Settings): Promise<Measured> {
  const rows: MeasuredPageSize[] = [];
  for (const pageSize of PAGE_SIZES) {
    settings.say(`pages of ${pageSize} tokens …`);
    rows.push(await measurePageSize(pageSize, settings));
  }
  const line = (name: string, value: (row: MeasuredPageSize) => string | number) => [
    name,
    ...rows.map(value),
  ];
  const markdown = table(
    ['tokens in a page', ...PAGE_SIZES],
    [
      line('KiB in a page', (row) => rounded(row.pageBytes / 1024, 0)),
      line('L2 → L1, GB/s', ({ copies }) => rounded(copies.restore)),
      line('… of memcpy', ({ copies }) => rounded(copies.restoreOfCopy, 2)),
      line('L1 → L2, GB/s', ({ copies }) => rounded(copies.save)),
      line('L3 → L2 from the page cache, GB/s', ({ reads }) => rounded(reads.read)),
      line('… of plain reads of the files', ({ reads }) => rounded(reads.readOfPlain, 2)),
      line('found again by chats in L2', ({ found }) => `${rounded(100 * found.tokens)} %`),
      line('found again by chats in L3', ({ found }) => `${rounded(100 * found.wholePages)} %`),
      line('keys of 32k tokens, ms', ({ tree }) => rounded(tree.hash, 2)),
      line('matches of 32k tokens per second', ({ tree }) => rounded(1000 / tree.match, 0)),
      line('inserts of 32k tokens per second', ({ tree }) => rounded(1000 / tree.insert, 0)),
      line('bytes of bookkeeping per token', ({ tree }) => rounded(tree.bytesPerToken)),
    ],
  );
  return { data: { rows }, markdown, about: withModel(settings) };
}

/** In a process like a rank's, with its environment. */
async function measurePageSize(
  pageSize: number,
  { modelPath, rounds, quick }: Settings,
): Promise<MeasuredPageSize> {
  const numbers = [pageSize, quick ? 256 : 2048, rounds].map(String);
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--expose-gc', PROGRAM, modelPath, ...numbers],
    { env: engineEnvironment() },
  );
  return JSON.parse(stdout) as MeasuredPageSize;
}
