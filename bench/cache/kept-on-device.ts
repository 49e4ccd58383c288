import { median, rounded } from '../../src/bench/statistics.ts';
import { ask, type Streamed, timeToFirstToken } from '../support/client.ts';
import { table } from '../support/page.ts';
import { type Measured, type Settings, withModel } from '../support/parts.ts';
import { uniquePrompt } from '../support/prompts.ts';
import { type BenchServer, withServers } from '../support/server.ts';

const CELLS = 16_384;
/** Tokens that stay in L1; the last one is all. */
const KEPT = [0, 256, 1024, CELLS];
const CONVERSATIONS = 8;

interface Sample {
  /** Milliseconds for one token of an answer, while all conversations rest. */
  step: number;
  /** Milliseconds to the first token of a conversation's next turn. */
  ttft: number;
}

/**
 * How much of what nobody uses should stay in L1 on a CPU: every cell costs time in every step, and a next turn that
 * finds its conversation in L2 loads it first.
 */
export async function measureKept(settings: Settings): Promise<Measured> {
  const { modelPath, rounds, quick } = settings;
  const shape = quick
    ? { talk: 128, turn: 16, prompt: 16, answer: 16 }
    : { talk: 1000, turn: 48, prompt: 64, answer: 96 };
  const flags = KEPT.map((tokens) => ({
    '--model-path': modelPath,
    '--max-total-tokens': CELLS,
    '--context-length': quick ? 2048 : 4096,
    '--hicache-keep-on-device': tokens,
  }));
  const samples: Sample[][] = await withServers(flags, async (servers) => {
    const talks = Array.from({ length: CONVERSATIONS }, (_, i) => uniquePrompt(i, shape.talk));
    for (const { url } of servers) for (const talk of talks) await ask(url, talk, 1);
    const rows: Sample[][] = [];
    for (let round = 0; round < rounds * 2; round++) {
      // The one that rested longest goes on: what stays in L1 is what was used last.
      const talk = talks[round % CONVERSATIONS]!;
      talk.push(...uniquePrompt(100 + round, shape.turn));
      const prompt = uniquePrompt(10_000 + round, shape.prompt);
      const row: Sample[] = [];
      for (const server of servers) row.push(await measure(server, prompt, shape.answer, talk));
      rows.push(row);
    }
    return rows;
  });
  const last = KEPT.length - 1;
  const rows = KEPT.map((tokens, i) => {
    const own = samples.map((row) => row[i]!);
    const ratio = (figure: keyof Sample) =>
      rounded(median(samples.map((row) => row[i]![figure] / row[last]![figure])), 3);
    return {
      tokens,
      step: rounded(median(own.map(({ step }) => step)), 2),
      stepOfAll: ratio('step'),
      ttft: rounded(median(own.map(({ ttft }) => ttft))),
      ttftOfAll: ratio('ttft'),
    };
  });
  const markdown = table(
    ['tokens kept', 'ms per token of an answer', 'of all kept', 'ms to the next turn', 'of all kept'],
    rows.map(({ tokens, step, stepOfAll, ttft, ttftOfAll }) => [
      tokens === CELLS ? 'all' : tokens,
      step,
      stepOfAll,
      ttft,
      ttftOfAll,
    ]),
  );
  return {
    data: { shape, conversations: CONVERSATIONS, rows, samples },
    markdown,
    about: withModel(settings),
  };
}

async function measure(
  { url }: BenchServer,
  prompt: number[],
  answerTokens: number,
  talk: number[],
): Promise<Sample> {
  const step = perToken(await ask(url, prompt, answerTokens));
  return { step, ttft: timeToFirstToken(await ask(url, talk, 1)) };
}

/** The median of the times between two tokens. */
function perToken({ arrivals }: Streamed): number {
  return median(arrivals.slice(1).map((arrival, i) => arrival - arrivals[i]!));
}
