import { setTimeout } from 'node:timers/promises';
import { ask } from '../../support/client.ts';
import { type BenchServer, processorTime, storageIdle } from '../../support/server.ts';

/** Milliseconds of processor time for equal work. */
export interface Processor {
  prompts: number;
  answers: number;
}

/** Requests at once, and the tokens of their prompts and answers. */
const PROMPTS = { requests: 2, prompt: 256, answer: 1 };
const ANSWERS = { requests: 4, prompt: 32, answer: 48 };

/** Twice as long as writing so little takes while other work runs. */
const WRITTEN_MS = 1000;

/**
 * Processor time of a server and its ranks for prompts, and for answers, with all that is written for them. With one
 * thread that computes, which waits for no other one, it hardly changes with what else runs on the machine.
 */
export async function measureProcessor(
  server: BenchServer,
  prompt: (tokens: number) => number[],
): Promise<Processor> {
  const work = async ({ requests, prompt: tokens, answer }: typeof PROMPTS) => {
    const before = await processorTime(server);
    await Promise.all(Array.from({ length: requests }, () => ask(server.url, prompt(tokens), answer)));
    // Asking costs processor time too: by now there is seldom a reason to ask twice.
    await setTimeout(WRITTEN_MS);
    await storageIdle(server.url);
    return (await processorTime(server)) - before;
  };
  return { prompts: await work(PROMPTS), answers: await work(ANSWERS) };
}
