import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { BLOCK, readTrace, SAMPLE_TRACE } from '../../src/bench/trace/trace.ts';
import { scaled } from '../../src/bench/workloads/replay.ts';
import { temporaryFolder } from '../storage/support/folders.ts';

async function traceOf(text: string): Promise<string> {
  const file = path.join(await temporaryFolder(), 'trace.jsonl');
  await writeFile(file, text);
  return file;
}

const line = (more: object = {}) =>
  JSON.stringify({ timestamp: 0, input_length: 600, output_length: 5, hash_ids: [0, 3], ...more });

describe('a trace', () => {
  it("is read in Mooncake's form", async () => {
    const file = await traceOf(`${line()}\n\n${line({ timestamp: 3000, extra: 'field' })}\n`);
    const request = { promptTokens: 600, answerTokens: 5, blocks: Int32Array.of(0, 3) };
    expect(await readTrace(file)).toEqual([
      { timestamp: 0, ...request },
      { timestamp: 3000, ...request },
    ]);
  });

  it('is read in the form of the sample, which has its times in order', async () => {
    const file = await traceOf('{"source":"somewhere"}\n[1300,7,"0-1,9",250]\n');
    const blocks = Int32Array.of(0, 1, 9);
    expect(await readTrace(file)).toEqual([{ timestamp: 250, promptTokens: 1300, answerTokens: 7, blocks }]);
    const sample = await readTrace(SAMPLE_TRACE);
    expect(sample.length).toBeGreaterThan(2000);
    const times = sample.map(({ timestamp }) => timestamp);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });

  it.each([
    ['{"timestamp":', 'has a line of another form (line 1)'],
    [`${line()}\n${line({ hash_ids: undefined })}`, 'has a line of another form (line 2)'],
    [line({ input_length: -1 }), 'has a line of another form (line 1)'],
    ['[1300,7,"0--1",250]', 'has a line of another form (line 1)'],
    [line({ input_length: 2000 }), 'has fewer blocks than its prompt is long (line 1)'],
    ['\n', 'has no request'],
  ])('that is %j is refused', async (text, problem) => {
    await expect(readTrace(await traceOf(text))).rejects.toMatchObject({
      code: 'bad_option',
      message: expect.stringContaining(problem),
    });
  });

  it('that is not there is refused', async () => {
    await expect(readTrace('/nowhere/trace.jsonl')).rejects.toMatchObject({ code: 'bad_option' });
  });
});

describe('a request of a trace', () => {
  const names: string[] = [];
  const text = (name: string, tokens: number) => {
    names.push(name);
    return Array.from({ length: tokens }, (_, i) => names.indexOf(name) * 1000 + i);
  };
  const request = (blocks: number[], promptTokens: number) => {
    return { timestamp: 0, promptTokens, answerTokens: 64, blocks: Int32Array.from(blocks) };
  };

  it('is as long as it says, and equal blocks are equal', () => {
    const [one, other] = [request([4, 5, 6], 3 * BLOCK - 10), request([4, 7], BLOCK + 100)];
    const [a, b] = [scaled({ text }, one, 1), scaled({ text }, other, 1)];
    expect(a.prompt).toHaveLength(3 * BLOCK - 10);
    expect(b.prompt).toHaveLength(BLOCK + 100);
    expect(b.prompt.slice(0, BLOCK)).toEqual(a.prompt.slice(0, BLOCK));
    expect(b.prompt[BLOCK]).not.toBe(a.prompt[BLOCK]);
    expect(a.output).toBe(64);
  });

  it('is scaled in all of its lengths, and never empty', () => {
    expect(scaled({ text }, request([1, 2], 2 * BLOCK), 1 / 32)).toMatchObject({
      prompt: { length: 32 },
      output: 2,
    });
    expect(scaled({ text }, request([1], 3), 1e-6)).toMatchObject({ prompt: { length: 1 }, output: 1 });
  });
});
