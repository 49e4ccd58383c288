import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  goodBench,
  KEEPING,
  LEAST_REUSE,
  phasesOf,
  reportIn,
  SMALL,
  situationsIn,
} from '../support/bench.ts';
import { complaintOf, tierkv } from '../support/command.ts';
import { startServer, type TestServer } from '../support/server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startServer(KEEPING.split(' '));
});
afterAll(() => server.kill());

const running = () => ['--url', server.url];

describe('tierkv bench, on a server that runs', () => {
  it('multiturn: conversations are reused, and lengths are exact', async () => {
    const options = '--clients 3 --rounds 3 --request-length 40 --output-length 12 --system-length 50';
    const measured = await goodBench('multiturn', `${options} --parallel 2 --rate 1000`, ...running());
    const { host } = new URL(server.url);
    expect(measured.report).toMatchObject({
      workload: 'multiturn',
      seed: 1,
      repeat: 1,
      options: { clients: 3, rate: 1000 },
    });
    const [summary] = measured.report.servers;
    expect(summary).toMatchObject({
      label: host,
      url: server.url,
      command: null,
      exactTokens: true,
      peakMemoryBytes: null,
    });
    const all = phasesOf(measured)['all turns']!;
    // Three turns each: 90, 142 and 194 tokens.
    expect(all).toMatchObject({
      requests: 9,
      failed: 0,
      shortAnswers: 0,
      promptTokens: 3 * (90 + 142 + 194),
      outputTokens: 9 * 12,
    });
    // The system's tokens once, what users say, and the last token of each answer that goes on.
    expect(all.leastTokens).toBe(50 + 9 * 40 + 6);
    expect(all.computedTokens).toBe(all.promptTokens - all.cachedByTier!.device - all.cachedByTier!.host);
    expect(all.reuse).toBeGreaterThan(LEAST_REUSE);
    expect(all.ttft!.p50).toBeGreaterThan(0);
    expect(all.endToEnd!.p50).toBeGreaterThan(all.ttft!.p50);
    expect(measured.stdout).toMatch(/all turns +│ 127\.0\.0\.1:\d+ +│ to the first token/);
  });

  it('the same seed asks the same, which a server that runs has had', async () => {
    const options = '--clients 3 --rounds 3 --request-length 40 --output-length 12 --system-length 50';
    const measured = await goodBench('multiturn', `${options} --parallel 1`, ...running());
    const all = phasesOf(measured)['all turns']!;
    expect(all.computedTokens).toBeLessThan(all.leastTokens);
    expect(measured.stdout).toContain('it had some of the prompts before');
  });

  it('fanout: one prefix is computed once', async () => {
    const options = '--prefix-length 300 --branches 5 --branch-length 20 --output-length 4';
    const measured = await goodBench('fanout', options, ...running());
    const phases = phasesOf(measured);
    expect(phases['under a new prefix']).toMatchObject({ requests: 5, promptTokens: 5 * 320 });
    expect(phases['under a new prefix']!.leastTokens).toBeLessThanOrEqual(300 + 5 * 20);
    expect(phases['under the same prefix']!.leastTokens).toBeLessThanOrEqual(5 * 20);
    for (const phase of Object.values(phases)) expect(phase.reuse).toBeGreaterThan(LEAST_REUSE);
  });

  it('steady: nothing can be reused', async () => {
    const measured = await goodBench(
      'steady',
      '--parallel 1,3 --prompt-length 50 --output-length 6',
      ...running(),
    );
    const phases = phasesOf(measured);
    expect(Object.values(phases).map(({ name, requests }) => `${name}: ${requests}`)).toEqual([
      'prefill, 1 at a time: 1',
      'decode, 1 at a time: 1',
      'prefill, 3 at a time: 3',
      'decode, 3 at a time: 3',
    ]);
    expect(phases['prefill, 3 at a time']).toMatchObject({ promptTokens: 150, outputTokens: 3 });
    expect(phases['decode, 3 at a time']!.outputTokensPerSecond).toBeGreaterThan(0);
    // Random texts may begin with the same word.
    for (const { leastTokens, promptTokens } of Object.values(phases))
      expect(leastTokens).toBeGreaterThan(0.9 * promptTokens);
  });

  it('replay: the packaged trace, by its clock and without', async () => {
    const measured = await goodBench('replay', '--limit 12 --scale 0.01', ...running());
    expect(phasesOf(measured)['all requests']).toMatchObject({ requests: 12, failed: 0 });
    const fast = await goodBench('replay', '--limit 6 --scale 0.01 --speed 1000 --seed 2', ...running());
    expect(phasesOf(fast)['all requests']).toMatchObject({ requests: 6, failed: 0 });
  });

  it('longdoc: documents are asked again', async () => {
    const options =
      '--documents 3 --document-length 200 --questions 3 --question-length 10 --output-length 4';
    const measured = await goodBench('longdoc', options, ...running());
    const phases = phasesOf(measured);
    expect(phases['first questions']).toMatchObject({ requests: 3, promptTokens: 3 * 210 });
    expect(phases['later questions']).toMatchObject({ requests: 6, failed: 0 });
    expect(phases['later questions']!.reuse).toBeGreaterThan(LEAST_REUSE);
  });

  it('openloop: at a rate, and the highest one under a bound', async () => {
    const options = '--requests 4 --prompt-length 20 --output-length 2 --rate 50';
    const measured = await goodBench('openloop', options, ...running());
    expect(phasesOf(measured)['50 requests/s']).toMatchObject({ requests: 4, failed: 0 });
    const search = await goodBench('openloop', `${options} --ttft-bound 200 --seed 2`, ...running());
    // A try lasts three times the bound, so that some rate is too high for any server.
    expect(search.report.runs[0]!.findings['sustained requests per second']).toBeLessThan(50 * 2 ** 12);
    expect(search.stdout).toContain('sustained requests per second');
  });

  it('situations: all but the restart', async () => {
    const measured = await goodBench('situations', SMALL, ...running());
    expect(situationsIn(measured)).toHaveLength(13);
    for (const { name, failed, reuse } of Object.values(phasesOf(measured))) {
      expect(failed, name).toBe(0);
      if (reuse !== null) expect(reuse, name).toBeGreaterThan(LEAST_REUSE);
    }
  });

  it('has no restart', async () => {
    const ended = await tierkv(['bench', 'restart', ...running()]);
    expect(complaintOf(ended)).toContain('--server');
    expect(ended.stdout).toBe('');
  });

  it('prints JSON alone when no file is given', async () => {
    const options = ['--clients', '1', '--rounds', '1', '--request-length', '8', '--output-length', '2'];
    const ended = await tierkv(['bench', 'multiturn', ...options, ...running(), '--json']);
    expect(reportIn(ended.stdout).workload).toBe('multiturn');
    expect(ended).toMatchObject({ code: 0, stderr: '' });
  });
});
