import { parseArgsStringToArgv } from 'string-argv';
import { describe, expect, test } from 'vitest';
import { glance } from '../../bench/peers/glance.ts';
import { missingTools } from '../../bench/peers/missing-tools.ts';
import { fanout } from '../../bench/peers/parts/fanout.ts';
import { longdoc } from '../../bench/peers/parts/longdoc.ts';
import { openloop } from '../../bench/peers/parts/openloop.ts';
import { restart } from '../../bench/peers/parts/restart.ts';
import { commandLine, FILES, llamaServer, shownCommand, tierkv } from '../../bench/peers/peer.ts';
import type { BenchReport, Phase } from '../../src/bench/report.ts';

const places = {
  build: { server: '/with space/llama-server', libraries: '/lib' },
  modelPath: '/models/bench.gguf',
};

const nothing: Phase = {
  name: '',
  requests: 8,
  failed: 0,
  failures: {},
  shortAnswers: 0,
  seconds: 0,
  promptTokens: 0,
  outputTokens: 0,
  promptTokensPerSecond: null,
  outputTokensPerSecond: null,
  ttft: null,
  interToken: null,
  endToEnd: null,
  computedTokens: null,
  leastTokens: 0,
  reuse: null,
  cachedByTier: null,
};

function report(options: object, servers: Record<string, Phase[]>): BenchReport {
  return {
    tierkv: '0.0.0',
    date: '2026-01-01T00:00:00.000Z',
    machine: { platform: 'linux-x64', cpu: null, cores: 2, node: '24' },
    workload: 'any',
    options: { ...options },
    seed: 1,
    repeat: 1,
    servers: Object.entries(servers).map(([label, phases]) => ({
      label,
      command: `run ${label}`,
      url: null,
      exactTokens: true,
      peakMemoryBytes: null,
      phases,
    })),
    runs: [],
  };
}

/** The cells of the row of a table that begins with this. */
function row(markdown: string, first: string): string[] | undefined {
  const line = markdown.split('\n').find((each) => each.startsWith(`| ${first} |`));
  return line
    ?.split('|')
    .slice(2, -1)
    .map((cell) => cell.trim());
}

describe('command lines', () => {
  test('name what lies elsewhere, and leave port and folder to the command that starts them', () => {
    const words = parseArgsStringToArgv(commandLine(llamaServer('x', '-np 8 -c 8192'), places));
    expect(words[0]).toBe('/with space/llama-server');
    expect(words.slice(1, 5)).toEqual(['-m', '/models/bench.gguf', '--port', '{port}']);
    expect(words.slice(-4)).toEqual(['-np', '8', '-c', '8192']);
  });

  test('give TierKV the library that was built, and its settings in one piece', () => {
    const words = parseArgsStringToArgv(commandLine(tierkv('x', FILES), places));
    expect(words.slice(0, 2)).toEqual(['env', 'TIERKV_LLAMA_LIB_DIR=/lib']);
    expect(JSON.parse(words.at(-1) ?? '')).toEqual({ path: '{dir}/pages' });
  });

  test('are shown without the folders of a machine', () => {
    const shown = [llamaServer('x', '-np 8'), tierkv('y', FILES)].map(shownCommand);
    expect(shown.join()).not.toMatch(/\{[a-z-]+\}|with space|models|\/lib/);
    expect(shown[0]).toMatch(/^llama-server -m MODEL --port PORT --threads \d+ -np 8$/);
  });
});

test('tools that cannot be run are named', async () => {
  expect(await missingTools({ PATH: '/nonexistent' })).toEqual(['git', 'cmake', 'a C++ compiler']);
});

describe('tables', () => {
  test('of branches: what was computed beside the least, and nothing where all failed', () => {
    const phase = {
      ...nothing,
      name: 'under a new prefix',
      leastTokens: 2304,
      computedTokens: 2304,
      seconds: 8,
    };
    const slow = { ...phase, computedTokens: 8448, seconds: 32 };
    const failed = { ...phase, failed: 8, computedTokens: null, seconds: 0 };
    const shown = fanout.show([report({}, { a: [phase], b: [slow], c: [failed] })]);
    expect(row(shown, 'a')).toEqual(['0', '2304', '2304', '8', '1', '–']);
    expect(row(shown, 'b')).toEqual(['0', '8448', '2304', '32', '4', '–']);
    expect(row(shown, 'c')).toEqual(['8', '–', '–', '–', '–', '–']);
    expect(shown).toContain('# b\nrun b\n');
  });

  test('of restarts: one for each length', () => {
    const phase = (name: string, p50: number): Phase => ({
      ...nothing,
      name,
      ttft: { mean: p50, p50, p90: p50, p99: p50 },
      computedTokens: 512,
      leastTokens: 510,
    });
    const phases = [phase('first turns', 2000), phase('next turns', 300), phase('after the restart', 310)];
    const reports = [1024, 4096].map((requestLength) => report({ requestLength, clients: 8 }, { a: phases }));
    const shown = restart.show(reports);
    expect(shown).toContain('8 conversations of 4096 tokens:');
    expect(row(shown, 'a')).toEqual(['2000', '300', '310', '1.03', '1', '512', '510']);
  });

  test('of reuse: beside the last server', () => {
    const phase = { ...nothing, name: 'later questions', promptTokens: 1000, leastTokens: 200 };
    const slow = { ...phase, computedTokens: 900, promptTokensPerSecond: 400 };
    const quick = { ...phase, computedTokens: 200, promptTokensPerSecond: 1600 };
    const shown = longdoc.show([report({}, { a: [slow], b: [quick] })]);
    expect(row(shown, 'a')).toEqual(['–', '–', '–', '–', '–', '–']);
    const later = shown.slice(shown.indexOf('The later questions'));
    expect(row(later, 'a')).toEqual(['10 %', '80 %', '400', '0.25', '–', '–']);
    expect(row(later, 'b')).toEqual(['80 %', '80 %', '1600', '1', '–', '–']);
  });

  test('of rates: the median of the rounds, and nothing where none held', () => {
    const run = (label: string, rate?: number): BenchReport['runs'][number] => ({
      label,
      round: 1,
      exactTokens: true,
      problem: null,
      lastLines: [],
      peakMemoryBytes: null,
      phases: [],
      findings: rate === undefined ? {} : { 'sustained requests per second': rate },
    });
    const runs = [run('a', 1), run('b', 2), run('a', 3), run('b', 8), run('a', 2), run('b', 4), run('c')];
    const shown = openloop.show([{ ...report({}, { a: [], c: [], b: [] }), runs }]);
    expect(row(shown, 'a')).toEqual(['2', '0.5']);
    expect(row(shown, 'c')).toEqual(['–', '–']);
    expect(row(shown, 'b')).toEqual(['4', '1']);
  });

  test('of all parts: beside the defaults and the best of its flags, whichever way is better', () => {
    const phase = (seconds: number, failed = 0) => ({
      ...nothing,
      name: 'under a new prefix',
      seconds,
      failed,
    });
    const branches = report(
      {},
      {
        'TierKV, a context of 8k': [phase(8)],
        'llama-server, defaults': [phase(32)],
        'llama-server, 1 slot': [phase(12)],
        'llama-server, 8 slots': [phase(0, 8)],
      },
    );
    const later = (speed: number) => ({ ...nothing, name: 'later questions', promptTokensPerSecond: speed });
    const questions = report(
      {},
      {
        'llama-server, defaults': [later(400)],
        TierKV: [later(300)],
      },
    );
    const shown = glance([
      { part: fanout, reports: [branches] },
      { part: longdoc, reports: [questions] },
      { part: openloop, reports: [] },
    ]);
    const under = (prefix: string) =>
      `eight requests at once under ${prefix} prefix of 2,048 tokens: seconds`;
    expect(row(shown, under('a new'))).toEqual(['8', '32', '4', '12', '1.5']);
    expect(row(shown, under('the same'))).toEqual(['–', '–', '–', '–', '–']);
    const speed = 'later questions about long documents: prompt tokens/s';
    expect(row(shown, speed)).toEqual(['300', '400', '0.75', '400', '0.75']);
    expect(shown.split('\n')).toHaveLength(5);
  });
});
