import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const ROOT = path.join(import.meta.dirname, '../..');
const PAGE = path.join(ROOT, 'docs/benchmarks.md');
/** A heading, or a block of commands, in which a comment looks like one. */
const HEADING_OR_BLOCK = /^```[\s\S]*?^```$|^#+ /gm;
const BIOME = path.join(ROOT, 'node_modules/.bin/biome');

/**
 * Writes what a command measured behind its mark in docs/benchmarks.md, up to the next heading: no figure there is
 * typed by hand.
 */
export async function writeSection(command: string, markdown: string): Promise<void> {
  await writeFile(PAGE, withSection(await readFile(PAGE, 'utf8'), command, markdown));
  // Its tables have aligned columns.
  await format(PAGE);
}

/** The page with another text behind the mark of a command. */
export function withSection(page: string, command: string, markdown: string): string {
  const mark = `<!-- written by npm run ${command} -->`;
  const start = page.indexOf(mark) + mark.length;
  if (start < mark.length) throw new Error(`The page has no ${mark}`);
  const after = page.slice(start);
  const heading = [...after.matchAll(HEADING_OR_BLOCK)].find(([text]) => text.startsWith('#'));
  const rest = heading ? `\n${after.slice(heading.index)}` : '';
  return `${page.slice(0, start)}\n\n${markdown.trim()}\n${rest}`;
}

/** Makes a file as `npm run check` asks for it. */
export async function format(file: string): Promise<void> {
  await promisify(execFile)(BIOME, ['format', '--write', file], { cwd: ROOT });
}

/** How often something was measured, as a part of a sentence. */
export function inRounds(rounds: number): string {
  return rounds === 1 ? '1 round' : `${rounds} rounds`;
}

type Cell = string | number;

/** A table of markdown. */
export function table(head: readonly Cell[], rows: readonly (readonly Cell[])[]): string {
  const line = (cells: readonly Cell[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
