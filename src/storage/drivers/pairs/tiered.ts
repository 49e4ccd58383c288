import { type Clock, systemClock } from '../../../shared/clock.ts';
import { failure } from '../../../shared/errors.ts';
import { slice, totalBytes } from '../../buffers.ts';
import { CallGate } from '../../call-gate.ts';
import type {
  Failed,
  HasResult,
  Read,
  ReadResult,
  RemoveResult,
  StorageDriver,
  WriteResult,
} from '../../driver.ts';
import { keyed } from '../../keys.ts';
import { failed } from '../../results.ts';
import { STORAGE_DEADLINES_MS } from '../../stack.ts';
import { turns } from '../../turns.ts';
import { Child, openBoth } from './child.ts';
import { listBoth } from './list-both.ts';
import { Promotions } from './promotions.ts';
import { isTooLong } from './race.ts';

/** A fast store that takes longer is none: the slow one is asked, which has the rest of the caller's time. */
const FAST_MS = {
  open: 8_000,
  close: 3_000,
  has: 500,
  read: 2_000,
  write: 5_000,
  remove: 2_000,
  list: 10_000,
};
const RESTS: Failed = failed('unreachable', 'The fast store did not answer a moment ago.');

/**
 * Two stores as one: the slow one says what is stored; the fast one is asked first, and gets copies of what is read and
 * written, as far as it can.
 */
export function tieredDriver(
  fastDriver: StorageDriver,
  slow: StorageDriver,
  clock: Clock = systemClock,
): StorageDriver {
  const gate = new CallGate({ failedBy: (error) => failed('io', String(error)) });
  const fast = new Child('fast', fastDriver, clock, FAST_MS);
  const slowChild = new Child('slow', slow, clock, STORAGE_DEADLINES_MS);
  const promotions = new Promotions(fast, gate.closing);
  const { ttl } = slow.capabilities;

  /** What the fast store answers; as if it was not there while it rests. */
  async function askFast<R extends { status: string; error?: { kind: string } }>(
    keys: readonly string[],
    ask: () => Promise<R[]>,
  ): Promise<(R | undefined)[]> {
    if (fast.rests || keys.length === 0) return keys.map(() => undefined);
    return fast.heard(ask());
  }

  async function has(keys: string[], signal: AbortSignal): Promise<HasResult[]> {
    const known = await askFast(keys, () => fast.driver.has(keys, signal));
    const isThere = (i: number) => known[i]?.status === 'hit' && !promotions.has(keys[i]!);
    const others = keys.filter((_, i) => !isThere(i));
    const answers = await slowly(others, () => slow.has(others, signal));
    return keys.map((_, i) => (isThere(i) ? { status: 'hit' } : answers.shift()!));
  }

  async function read(reads: readonly Read[], signal: AbortSignal): Promise<ReadResult[]> {
    const results = new Map<Read, ReadResult>();
    const asked = reads.filter(({ key }) => !promotions.has(key));
    const first = await askFast(
      asked.map(({ key }) => key),
      // The slow store may fill the same buffers later: nobody may look at them before.
      () =>
        fast.driver.read(
          asked.map(({ key, into }) => ({ key, into })),
          signal,
        ),
    );
    if (signal.aborted) await Promise.all(first.map((result) => settledOf(result)));
    signal.throwIfAborted();
    for (const [i, one] of asked.entries()) {
      const result = first[i];
      // Where its buffers are still in use, nobody else can fill them; what it has and is too long is so for both.
      if (result && (result.status === 'hit' || isTooLong(result) || settledOf(result)))
        results.set(one, result);
    }
    const others = reads.filter((one) => !results.has(one));
    const changed = promotions.watch();
    try {
      const answers = await slowly(others, () => slow.read(others, signal));
      const turn = turns();
      for (const [i, one] of others.entries()) {
        const answer = answers[i]!;
        results.set(one, answer);
        if (answer.status !== 'hit' || changed.has(one.key) || fast.rests || signal.aborted) continue;
        if (answer.bytes <= fast.driver.capabilities.largestValue)
          promotions.add(one.key, slice(one.into, 0, answer.bytes));
        await turn(answer.bytes);
      }
    } finally {
      promotions.forget(changed);
    }
    return reads.map((one) => results.get(one)!);
  }

  /** From the fast store first: what stays there stays in the slow one too, and is listed as what is still there. */
  async function remove(keys: readonly string[], signal: AbortSignal): Promise<RemoveResult[]> {
    await promotions.settled(keys);
    const first = await askFast(keys, () => fast.driver.remove(keys, signal));
    const isGone = (i: number) => (first[i] ?? RESTS).status !== 'error';
    const others = keys.filter((_, i) => isGone(i));
    const second = await slowly(others, () => slow.remove(others, signal));
    return keys.map((_, i) => {
      const one = first[i] ?? RESTS;
      if (!isGone(i)) return one;
      const other = second.shift()!;
      return other.status === 'miss' ? one : other;
    });
  }

  return {
    name: 'tiered',
    capabilities: Object.freeze({
      batch: Math.min(fastDriver.capabilities.batch, slow.capabilities.batch),
      get largestValue() {
        return slow.capabilities.largestValue;
      },
      list: slow.capabilities.list,
      ...(ttl !== undefined && { ttl }),
    }),
    async open(signal) {
      const both = AbortSignal.any([signal, gate.closing]);
      await openBoth('tiered', [fast, slowChild], both);
      gate.open();
    },
    async close() {
      await gate.close();
      await promotions.settled();
      await Promise.all([fast.driver.close(), slowChild.driver.close()]);
    },
    has: (keys, signal) =>
      gate.batch(keys.map(keyed), signal, (good, both) =>
        has(
          good.map(({ key }) => key),
          both,
        ),
      ),
    read: (reads, signal) => gate.batch(reads, signal, read),
    write: (writes, signal) =>
      gate.batch(writes, signal, async (good, both): Promise<WriteResult[]> => {
        const keys = good.map(({ key }) => key);
        const results = await promotions.changing(keys, () => slow.write(good, both));
        const stale: string[] = [];
        const turn = turns();
        for (const [i, { key, parts }] of good.entries()) {
          if (results[i]?.status !== 'stored') continue;
          if (both.aborted || fast.rests || !promotions.add(key, parts)) stale.push(key);
          await turn(totalBytes(parts));
        }
        // What was there before is not what is stored now.
        await askFast(stale, () => fast.driver.remove(stale, both));
        return results;
      }),
    remove: (keys, signal) =>
      gate.batch(keys.map(keyed), signal, (good, both) => {
        const goodKeys = good.map(({ key }) => key);
        return promotions.changing(goodKeys, () => remove(goodKeys, both));
      }),
    list:
      slow.list &&
      (async (cursor, signal) => {
        if (!gate.isOpen) throw failure('storage_failed', { backend: 'tiered', reason: 'It is not open.' });
        const both = AbortSignal.any([signal, gate.closing]);
        return fast.driver.list ? listBoth(slow, fast.driver, cursor, both) : slow.list!(cursor, both);
      }),
    usage: slow.usage && (() => slow.usage!()),
  };
}

async function slowly<T, R>(items: readonly T[], ask: () => Promise<R[]>): Promise<R[]> {
  return items.length === 0 ? [] : ask();
}

function settledOf(result: ReadResult | undefined): Promise<void> | undefined {
  return result?.status === 'error' ? result.settled : undefined;
}
