import { setTimeout as sleep } from 'node:timers/promises';
import { oneLine, type ServerClient } from '../server-client.ts';
import { type ProgressOutput, StatusLine } from '../status-line.ts';
import { StatusAnswer } from './answers.ts';
import { ROUTE } from './ask.ts';

const EVERY_MS = 1_000;
const STATUS_S = 3;

/** Waits for the work, and shows on a terminal how long it takes and what the server waits for. */
export async function watched<T>(
  client: ServerClient,
  title: string,
  work: Promise<T>,
  output: ProgressOutput = process.stderr,
): Promise<T> {
  const line = new StatusLine(output);
  if (!line.isShown) return work;
  const ended = new AbortController();
  const following = follow(client, title, line, ended.signal);
  try {
    return await work;
  } finally {
    ended.abort();
    await following;
    line.clear();
  }
}

async function follow(
  client: ServerClient,
  title: string,
  line: StatusLine,
  signal: AbortSignal,
): Promise<void> {
  const began = performance.now();
  const call = { method: 'GET', route: ROUTE, seconds: STATUS_S, signal } as const;
  let waits = '';
  while (!signal.aborted) {
    const elapsed = `${Math.round((performance.now() - began) / 1000)} s`;
    line.show([title, elapsed, waits]);
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
