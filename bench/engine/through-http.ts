import { request } from 'node:http';
import { SHAPES, type Shape, type Speed, uniquePrompt } from './shapes.ts';

/** When the events of one streamed answer arrived, in milliseconds; each event is a token. */
type Arrivals = number[];

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
  const prefilled = Math.max(...prefills.flat());
  const answers = await all(shape.promptTokens, shape.answerTokens, seed + 100);
  const began = Math.max(...answers.map((arrivals) => arrivals[0] ?? 0));
  const end = Math.max(...answers.flat());
  // Tokens from before all were decoding came beside prompts, or in smaller batches: they do not count.
  const decoded = answers.flat().filter((arrival) => arrival > began).length;
  return {
    prefill: (shape.requests * shape.promptTokens) / ((prefilled - start) / 1000),
    decode: decoded / ((end - began) / 1000),
  };
}

/** Finds the events of a stream without parsing them: the client must cost next to nothing on the same cores. */
function ask(url: string, prompt: number[], maxTokens: number): Promise<Arrivals> {
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
      const arrivals: Arrivals = [];
      response.setEncoding('latin1').on('data', (text: string) => {
        for (let at = text.indexOf('data: {'); at >= 0; at = text.indexOf('data: {', at + 1))
          arrivals.push(performance.now());
      });
      response.on('end', () => resolve(arrivals));
      response.on('error', reject);
    });
    call.end(body);
  });
}
