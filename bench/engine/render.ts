import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

export interface Result {
  date: string;
  cpu: string | undefined;
  cores: number;
  node: string;
  llamaCpp: string;
  settings: { threads: number };
  rounds: number;
  rows: { phase: string; requests: number; direct: number; http: number; ratio: number }[];
}

const PAGE = path.join(import.meta.dirname, '../../docs/benchmarks.md');
const MARK = '<!-- written by npm run bench:engine -->';

/** Writes the result behind its mark in docs/benchmarks.md: no figure there is typed by hand. */
export async function renderResult(result: Result): Promise<void> {
  const { date, cpu, cores, node, llamaCpp, settings, rounds, rows } = result;
  const lines = rows.map(
    ({ phase, requests, direct, http, ratio }) =>
      `| ${phase} | ${requests} | ${direct} | ${http} | ${ratio} |`,
  );
  const table = [
    `${date.slice(0, 10)}, ${cpu}, ${cores} cores, ${settings.threads} threads, Node.js ${node}, llama.cpp ${llamaCpp}; 197 M parameters in q8_0, medians of ${rounds} rounds.`,
    '',
    '| phase | requests | llama.cpp tok/s | TierKV tok/s | ratio |',
    '| --- | --- | --- | --- | --- |',
    ...lines,
  ].join('\n');
  const page = await readFile(PAGE, 'utf8');
  const end = page.indexOf(MARK) + MARK.length;
  if (end < MARK.length) throw new Error(`${PAGE} has no mark.`);
  await writeFile(PAGE, `${page.slice(0, end)}\n\n${table}\n`);
}
