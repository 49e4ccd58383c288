import { randomBytes } from 'node:crypto';
import { median } from '../../src/bench/statistics.ts';
import type { BareClient } from './target.ts';

/** Pages in a call, and calls at once, as src/controller/prefetch.ts has them. */
const BATCH = 16;
const CALLS = 2;

const OPERATIONS = ['write', 'read'] as const;
type Operation = (typeof OPERATIONS)[number];

/** Values per second of both sides, and the median of the rounds' own ratios. */
export type Compared = Record<Operation, { subject: number; bare: number; ratio: number }>;

/** Writes and reads the same values through both clients, in turn, under new keys in every round. */
export async function compare(
  subject: BareClient,
  bare: BareClient,
  valueBytes: number,
  count: number,
  rounds: number,
): Promise<Compared> {
  const values = Array.from({ length: count }, () => randomBytes(valueBytes));
  const sides = [subject, bare];
  const speeds: Record<Operation, [number[], number[]]> = { write: [[], []], read: [[], []] };
  // The first round warms up.
  for (let round = -1; round < rounds; round++) {
    for (const i of round % 2 === 0 ? [0, 1] : [1, 0]) {
      const keys = values.map((_, n) => `page-${i}-${round + 1}-${valueBytes}-${n}`);
      const speed = await writeAndRead(sides[i]!, keys, values);
      if (round < 0) continue;
      for (const operation of OPERATIONS) speeds[operation][i]!.push(speed[operation]);
    }
  }
  const summary = (operation: Operation) => {
    const [ours, theirs] = speeds[operation];
    const ratios = ours.map((speed, i) => speed / theirs[i]!);
    return { subject: median(ours), bare: median(theirs), ratio: median(ratios) };
  };
  return { write: summary('write'), read: summary('read') };
}

async function writeAndRead(
  client: BareClient,
  keys: readonly string[],
  values: readonly Buffer[],
): Promise<Record<Operation, number>> {
  const into = values.map((value) => Buffer.alloc(value.byteLength, 1));
  const write = await perSecond(keys.length, (from, to) =>
    client.write(keys.slice(from, to), values.slice(from, to)),
  );
  const read = await perSecond(keys.length, (from, to) =>
    client.read(keys.slice(from, to), into.slice(from, to)),
  );
  if (!into.every((buffer, i) => buffer.equals(values[i]!))) throw new Error('other values were read');
  await client.remove(keys);
  return { write, read };
}

/** Works through so many items in calls as a rank makes them; items per second. */
async function perSecond(count: number, call: (from: number, to: number) => Promise<void>): Promise<number> {
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const from = next;
      next = Math.min(from + BATCH, count);
      await call(from, next);
    }
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: CALLS }, worker));
  return (1000 * count) / (performance.now() - began);
}
