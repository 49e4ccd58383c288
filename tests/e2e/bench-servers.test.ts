import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../storage/support/folders.ts';
import {
  bench,
  goodBench,
  KEEPING,
  LEAST_REUSE,
  LIMITS,
  phasesOf,
  SMALL,
  STORING,
  serving,
  situationsIn,
} from '../support/bench.ts';
import { cleanEnvironment, MAIN, NODE } from '../support/server.ts';

describe('tierkv bench, on servers that it starts', { timeout: 180_000 }, () => {
  it('runs them in turn, each round with fresh ones', async () => {
    const options = '--prefix-length 200 --branches 4 --branch-length 20 --output-length 4 --repeat 2';
    const [first, second] = [serving(KEEPING), serving(`${LIMITS} --disable-radix-cache`)];
    const servers = ['--server', first, '--label', 'with', '--server', second, '--label', 'without'];
    const measured = await goodBench('fanout', options, ...servers);
    const { runs, servers: summaries } = measured.report;
    expect(runs.map(({ label, round, problem }) => `${label} ${round} ${problem}`)).toEqual([
      'with 1 null',
      'without 1 null',
      'with 2 null',
      'without 2 null',
    ]);
    const [cached, computed] = [0, 1].map((i) => phasesOf(measured, i)['under the same prefix']!);
    expect(cached).toMatchObject({ requests: 8, promptTokens: 8 * 220 });
    expect(cached!.reuse).toBeGreaterThan(LEAST_REUSE);
    expect(computed).toMatchObject({
      reuse: 0,
      computedTokens: 8 * 220,
      leastTokens: cached!.leastTokens,
    });
    for (const { peakMemoryBytes } of summaries) expect(peakMemoryBytes).toBeGreaterThan(50e6);
    expect(measured.stdout).toMatch(/with: [\d.]+ MB of memory at most\nwithout: /);
  });

  it('restart: what was stored is there again', async () => {
    const options = '--clients 2 --rounds 1 --request-length 64 --output-length 8';
    const phases = phasesOf(await goodBench('restart', options, '--server', serving(STORING)));
    expect(Object.keys(phases)).toEqual(['first turns', 'next turns', 'after the restart']);
    expect(phases['next turns']!.cachedByTier!.storage).toBe(0);
    const after = phases['after the restart']!;
    expect(after).toMatchObject({ requests: 2, failed: 0, cachedByTier: { device: 0, host: 0 } });
    expect(after.cachedByTier!.storage).toBeGreaterThanOrEqual(2 * 128);
  });

  it('situations: all fourteen, each on one line', async () => {
    const measured = await goodBench('situations', SMALL, '--server', serving(STORING));
    expect(situationsIn(measured)).toHaveLength(14);
    const phases = phasesOf(measured);
    expect(phases['all of it again after a restart']!.cachedByTier!.storage).toBeGreaterThan(0);
    for (const { name, reuse, leastTokens, computedTokens } of Object.values(phases)) {
      // Behind a restart only whole pages are found.
      if (reuse !== null) expect(reuse, name).toBeGreaterThan(name.includes('restart') ? 0.9 : LEAST_REUSE);
      expect(computedTokens, name).toBeGreaterThanOrEqual(leastTokens);
    }
  });
});

/** Serves until it is asked for an answer; then it does what it was told. */
const FAKE = `
import { createServer } from 'node:http';
import { writeFileSync } from 'node:fs';
const [port, manner, folder] = process.argv.slice(2);
console.log('it has begun');
process.on('SIGTERM', () => {
  writeFileSync(folder + '/ended-' + manner, '');
  if (manner !== 'stays') process.exit(0);
});
createServer((request, response) => {
  if (!request.url.endsWith('/completions')) return response.writeHead(request.url === '/v1/models' ? 200 : 404).end('{}');
  if (manner === 'dies') {
    console.error('it cannot go on');
    process.exit(3);
  }
  writeFileSync(folder + '/asked-' + manner, String(process.pid));
}).listen(Number(port), '127.0.0.1');
`;

describe('a server that bench has started', () => {
  let folder: string;
  let fake: (manner: string) => string;
  beforeAll(async () => {
    folder = await temporaryFolder();
    const file = path.join(folder, 'fake.mjs');
    await writeFile(file, FAKE);
    fake = (manner) => `${NODE} ${file} {port} ${manner} ${folder}`;
  });

  it('and that dies, is named with its last lines; the others are measured', async () => {
    const options = '--clients 2 --rounds 1 --request-length 8 --output-length 2';
    const servers = ['--server', fake('dies'), '--label', 'weak', '--server', serving(KEEPING)];
    const measured = await bench('multiturn', options, ...servers, '--label', 'strong');
    expect(measured.code).toBe(1);
    const [weak, strong] = measured.report.runs;
    expect(weak).toMatchObject({ label: 'weak', problem: 'The server ended by itself (status 3).' });
    expect(weak!.lastLines.toSorted()).toEqual(['it cannot go on', 'it has begun']);
    expect(strong).toMatchObject({ label: 'strong', problem: null });
    expect(phasesOf(measured, 1)['all turns']).toMatchObject({ requests: 2, failed: 0 });
    expect(measured.stdout).toContain(
      'weak, round 1: The server ended by itself (status 3). It wrote last:\n  it ',
    );
    expect(measured.stderr).toBe('');
  });

  it.each([
    [
      `${NODE} -e "console.log('no luck'); process.exit(4)" {port}`,
      'ended by itself (status 4)',
      ['no luck'],
    ],
    ['/nowhere/program {port}', 'cannot be started', []],
    [`${NODE} -e "setInterval(Object, 1000)" {port}`, 'is not ready after 1 s', []],
  ])('and that does not serve is named, %s', async (command, problem, lines) => {
    const measured = await bench('fanout', '--start-timeout 1', '--server', command);
    expect(measured).toMatchObject({ code: 1, stderr: '' });
    expect(measured.report.runs).toMatchObject([
      { problem: expect.stringContaining(problem), lastLines: lines, phases: [] },
    ]);
  });

  /** `bench` on such a server, which has been asked for an answer: the process of either, and bench's own folder. */
  async function benchOn(manner: string) {
    const TMPDIR = await temporaryFolder();
    const flags = ['bench', 'fanout', '--server', `${fake(manner)} {dir}`];
    const child = execFile(NODE, [MAIN, ...flags], { env: cleanEnvironment({ TMPDIR }) });
    const exited = once(child, 'exit');
    const asked = path.join(folder, `asked-${manner}`);
    await expect.poll(() => existsSync(asked)).toBe(true);
    expect(await readdir(TMPDIR)).toHaveLength(1);
    return { child, exited, TMPDIR, pid: Number(await readFile(asked, 'utf8')) };
  }

  it('is ended in order by Ctrl-C, and its folder removed', async () => {
    const { child, exited, TMPDIR, pid } = await benchOn('waits');
    child.kill('SIGINT');
    expect(await exited).toEqual([130, null]);
    expect(existsSync(path.join(folder, 'ended-waits'))).toBe(true);
    expect(isRunning(pid)).toBe(false);
    expect(await readdir(TMPDIR)).toEqual([]);
  });

  it('is killed by a second Ctrl-C when it does not end by itself, and its folder removed', async () => {
    const { child, exited, TMPDIR, pid } = await benchOn('stays');
    child.kill('SIGINT');
    await expect.poll(() => existsSync(path.join(folder, 'ended-stays'))).toBe(true);
    expect(isRunning(pid)).toBe(true);
    child.kill('SIGINT');
    expect(await exited).toEqual([130, null]);
    await expect.poll(() => isRunning(pid)).toBe(false);
    expect(await readdir(TMPDIR)).toEqual([]);
  });
});

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
