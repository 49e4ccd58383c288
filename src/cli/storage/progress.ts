import { setTimeout as sleep } from 'node:timers/promises';
import { oneLine, type ServerClient } from '../server-client.ts';
import { StatusAnswer } from './answers.ts';
import { ROUTE } from './ask.ts';

/** What progress is written to: stderr, or what stands for it in a test. */
export interface ProgressOutput {
  isTTY?: boolean;
  columns?: number;
  write(text: string): unknown;
}

const EVERY_MS = 1_000;
const STATUS_S = 3;
const EMPTY_LINE = '\r\x1b[2K';

/** Waits for the work, and shows on a terminal how long it takes and what the server waits for. */
export async function watched<T>(
  client: ServerClient,
  title: string,
  work: Promise<T>,
  output: ProgressOutput = process.stderr,
): Promise<T> {
  if (!output.isTTY) return work;
  const ended = new AbortController();
  const following = follow(client, title, output, ended.signal);
  try {
    return await work;
  } finally {
    ended.abort();
    await following;
    output.write(EMPTY_LINE);
  }
}

async function follow(
  client: ServerClient,
  title: string,
  output: ProgressOutput,
  signal: AbortSignal,
): Promise<void> {
  const began = performance.now();
  const call = { method: 'GET', route: ROUTE, seconds: STATUS_S, signal } as const;
  let waits = '';
  while (!signal.aborted) {
    const elapsed = `${Math.round((performance.now() - began) / 1000)} s`;
    const line = [title, elapsed, waits].filter(Boolean).join(' · ');
    // A terminal that does not know its width says 0.
    output.write(EMPTY_LINE + line.slice(0, (output.columns || 80) - 1));
    await sleep(EVERY_MS, undefined, { signal }).catch(() => undefined);
    // A status that cannot be had is no matter: the operation itself will say what is wrong.
    waits = await client.ask(call, StatusAnswer).then(whatIsWaitedFor, () => waits);
  }
}

/** In the words of the server's own messages; empty when no operation is under way. */
export function whatIsWaitedFor({ operation, ranks }: StatusAnswer): string {
  if (!operation) return '';
  const waits = ranks.flatMap(({ rank, state, blocked_by }) => {
    // It does not answer.
    if (!blocked_by) return [`rank ${rank}: ${oneLine(state)}`];
    return blocked_by.length > 0 ? [`rank ${rank}: ${oneLine(blocked_by.join(', '))}`] : [];
  });
  return waits.length > 0 ? `waits for ${waits.join('; ')}` : '';
}
