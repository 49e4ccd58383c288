import { request } from 'node:http';

/** One streamed answer: when it was asked for and when each of its events came, in milliseconds; an event is a token. */
export interface Streamed {
  asked: number;
  arrivals: number[];
  /** Tokens of the prompt that were not computed, by where they came from. */
  cached: { device: number; host: number; storage: number };
}

/**
 * Asks for a greedy answer of a fixed length. Finds the events of the stream without parsing them: the client must cost
 * next to nothing on the same cores.
 */
export function ask(url: string, prompt: string | number[], maxTokens: number): Promise<Streamed> {
  const body = JSON.stringify({
    prompt,
    max_tokens: maxTokens,
    temperature: 0,
    ignore_eos: true,
    stream: true,
    stream_options: { include_usage: true },
  });
  return new Promise((resolve, reject) => {
    const asked = performance.now();
    const call = request(`${url}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
    });
    call.on('error', reject);
    call.on('response', (response) => {
      if (response.statusCode !== 200) return reject(new Error(`status ${response.statusCode}`));
      const arrivals: number[] = [];
      let end = '';
      response.setEncoding('latin1').on('data', (text: string) => {
        end = (end + text).slice(-1000);
        for (let at = text.indexOf('data: {'); at >= 0; at = text.indexOf('data: {', at + 1))
          arrivals.push(performance.now());
      });
      response.on('end', () => {
        // A stream that failed ends without it.
        if (!end.includes('data: [DONE]'))
          return reject(new Error(`a stream that ends with ${end.slice(-200)}`));
        // The event of the usage is no token.
        arrivals.pop();
        const count = (name: string) => Number(new RegExp(`"${name}":(\\d+)`).exec(end)?.[1] ?? 0);
        const cached = { device: count('device'), host: count('host'), storage: count('storage') };
        resolve({ asked, arrivals, cached });
      });
      response.on('error', reject);
    });
    call.end(body);
  });
}

/** Milliseconds from asking to the first token. */
export function timeToFirstToken({ asked, arrivals }: Streamed): number {
  return (arrivals[0] ?? Number.NaN) - asked;
}
