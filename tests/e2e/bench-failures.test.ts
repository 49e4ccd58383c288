import type { ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { bench, phasesOf } from '../support/bench.ts';
import { complaintOf, tierkv } from '../support/command.ts';
import { fakeServer } from '../support/fake-server.ts';

type Answer = (response: ServerResponse) => unknown;

const event = (value: unknown) => `data: ${typeof value === 'string' ? value : JSON.stringify(value)}\n\n`;
const word = (text: string, finish_reason: string | null = null) =>
  event({ choices: [{ text, finish_reason }] });
const usage = (prompt_tokens: number, completion_tokens: number) =>
  event({ choices: [], usage: { prompt_tokens, completion_tokens } });
const DONE = event('[DONE]');
/** Two words, as they were asked for. */
const WHOLE = `${word(' two')}${word(' words', 'length')}`;

/** A server of OpenAI's completions alone, whose answers follow each other. The first one is the warm-up's. */
async function fake(...answers: Answer[]): Promise<string> {
  const left = [(response: ServerResponse) => response.end(WHOLE + DONE), ...answers];
  return fakeServer((request, response) => {
    if (request.url === '/v1/models') return response.end('{"object": "list", "data": [{"id": "fake"}]}');
    if (request.url !== '/v1/completions') return response.writeHead(404).end();
    return request.resume().on('end', () => left.shift()?.(response));
  });
}

/** As many requests as there are answers, one after the other. */
async function measure(...answers: Answer[]) {
  const options = `--clients ${answers.length} --rounds 1 --request-length 5 --output-length 2 --parallel 1 --timeout 2`;
  const measured = await bench('multiturn', options, '--url', await fake(...answers), '--label', 'fake');
  expect(measured.stderr).toBe('');
  return { ...measured, phase: phasesOf(measured)['all turns']! };
}

describe('tierkv bench, on a server that fails,', () => {
  it('counts every failure with its reason, and goes on', async () => {
    const { code, stdout, phase } = await measure(
      (response) => response.writeHead(500).end('{"error": {"message": "out of luck"}}'),
      (response) => response.writeHead(503).end('no JSON'),
      (response) => response.write(word(' one'), () => response.destroy()),
      (response) => response.destroy(),
      (response) => response.write(word(' one')),
      () => 'silence',
      (response) => response.end(word(' one')),
      (response) => response.end(DONE),
      (response) => response.end(word(' one') + event({ error: { message: 'a late one' } })),
      (response) => response.end(event('{"choices": 3}') + DONE),
      (response) => response.end(event('{"choices": [') + DONE),
      (response) => response.end(WHOLE + usage(7, 2) + DONE),
    );
    expect(code).toBe(1);
    expect(phase).toMatchObject({ requests: 12, failed: 11, promptTokens: 7, outputTokens: 2 });
    expect(phase.failures).toEqual({
      'status 500: out of luck': 1,
      'status 503': 1,
      'the connection failed (ECONNRESET)': 2,
      'no end within 2 s': 2,
      'the stream ends before the answer does': 1,
      'the answer has no token': 1,
      'an error: a late one': 1,
      'an event of another form': 2,
    });
    expect(stdout).toContain('fake, all turns: 1 failed: status 500: out of luck\n');
  });

  it('takes words for tokens where a server tells nothing of them, and says so', async () => {
    const whole: Answer = (response) => response.end(WHOLE + DONE);
    const { code, stdout, report, phase } = await measure(whole, whole);
    expect(code).toBe(0);
    expect(report.servers[0]).toMatchObject({ exactTokens: false });
    expect(phase).toMatchObject({
      promptTokens: 10,
      outputTokens: 4,
      computedTokens: null,
      reuse: null,
      cachedByTier: null,
    });
    expect(stdout).toContain('fake: does not tell all of its tokens');
  });

  it('names answers that are shorter than they were to be', async () => {
    const { code, stdout, phase } = await measure((response) => response.end(word(' one', 'stop') + DONE));
    expect({ code, short: phase.shortAnswers }).toEqual({ code: 0, short: 1 });
    expect(stdout).toContain('1 answers are shorter');
  });

  it('measures nothing where nothing listens, and says why', async () => {
    const options = '--clients 2 --rounds 3 --request-length 5 --output-length 2';
    const measured = await bench('multiturn', options, '--url', 'http://127.0.0.1:1');
    expect(measured).toMatchObject({ code: 1, stderr: '' });
    expect(phasesOf(measured)['all turns']).toMatchObject({
      failed: 2,
      failures: { 'the connection failed (ECONNREFUSED)': 2 },
    });
  });
});

describe('tierkv bench refuses', () => {
  it.each([
    [['fanout'], 'bench needs a server'],
    [['fanout', '--url', 'http://127.0.0.1:1', '--server', 'x {port}'], 'not both'],
    [['fanout', '--server', 'program without one'], 'has no {port}'],
    [['fanout', '--server', 'x {port}', '--label', 'a', '--label', 'b'], 'once for each server'],
    [['fanout', '--url', 'nonsense'], '--url must be an address'],
    [['fanout', '--url', 'http://127.0.0.1:1', '--json', '/nowhere/file'], 'cannot be written (ENOENT)'],
    [['steady', '--parallel', '1,0', '--url', 'http://127.0.0.1:1'], 'whole numbers'],
    [['nothing', '--url', 'http://127.0.0.1:1'], 'nothing'],
  ])('%j', async (flags, problem) => {
    expect(complaintOf(await tierkv(['bench', ...flags]))).toContain(problem);
  });

  it('a trace that is none', async () => {
    const ended = await tierkv(['bench', 'replay', '--trace', '/nowhere.jsonl', '--url', await fake()]);
    expect(complaintOf(ended)).toContain('/nowhere.jsonl cannot be read');
  });
});
