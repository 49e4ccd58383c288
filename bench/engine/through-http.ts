import { request } from 'node:http';
import { SHAPES, type Shape, type Speed, uniquePrompt } from './shapes.ts';

/** Times of one streamed answer, in milliseconds. */
interface Timing {
  first: number;
  last: number;
  tokens: number;
}

/** Measures every shape against a running server. */
export async function measureServer(url: string): Promise<{ shape: Shape; speed: Speed }[]> {
  const results = [];
  for (const shape of SHAPES) {
    await measure(url, { ...shape, answerTokens: 8 }, 1000);
    results.push({ shape, speed: await measure(url, shape, 2000) });
  }
  return results;
}

/**
 * Prefill: all prompts at once with one token of answer each, until the last answer. Decode: answers of full length
 * after short prompts, from the moment when all are decoding to the end.
 */
async function measure(url: string, shape: Shape, seed: number): Promise<Speed> {
  const start = performance.now();
  const all = (length: number, answerTokens: number, from: number) =>
    Promise.all(
      Array.from({ length: shape.requests }, (_, i) =>
        ask(url, uniquePrompt(from + i, length), answerTokens),
      ),
    );
  const prefills = await all(shape.promptTokens, 1, seed);
  const prefilled = Math.max(...prefills.map((timing) => timing.last));
  const answers = await all(shape.promptTokens, shape.answerTokens, seed + 100);
  const began = Math.max(...answers.map((timing) => timing.first));
  const end = Math.max(...answers.map((timing) => timing.last));
  const decoded = answers.reduce((sum, timing) => sum + timing.tokens - 1, 0);
  // Tokens that an early request got before all were decoding ran in smaller batches; they are taken out.
  const early = answers.reduce(
    (sum, { first, last, tokens }) => sum + ((began - first) / (last - first || 1)) * (tokens - 1),
    0,
  );
  return {
    prefill: (shape.requests * shape.promptTokens) / ((prefilled - start) / 1000),
    decode: (decoded - early) / ((end - began) / 1000),
  };
}

/** Counts the events of a stream without parsing them: the client must cost next to nothing on the same cores. */
function ask(url: string, prompt: number[], maxTokens: number): Promise<Timing> {
  const body = JSON.stringify({
    prompt,
    max_tokens: maxTokens,
    temperature: 0,
    ignore_eos: true,
    stream: true,
  });
  return new Promise((resolve, reject) => {
    const call = request(`${url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
    });
    call.on('error', reject);
    call.on('response', (response) => {
      if (response.statusCode !== 200) return reject(new Error(`status ${response.statusCode}`));
      const timing: Timing = { first: 0, last: 0, tokens: maxTokens };
      response.on('data', () => {
        timing.last = performance.now();
        if (timing.first === 0) timing.first = timing.last;
      });
      response.on('end', () => resolve(timing));
      response.on('error', reject);
    });
    call.end(body);
  });
}
