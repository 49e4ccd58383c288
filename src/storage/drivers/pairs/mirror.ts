import { type Clock, systemClock } from '../../../shared/clock.ts';
import { failure } from '../../../shared/errors.ts';
import { totalBytes } from '../../buffers.ts';
import { CallGate } from '../../call-gate.ts';
import type {
  Failed,
  HasResult,
  Read,
  ReadResult,
  RemoveResult,
  StorageDriver,
  Write,
  WriteResult,
} from '../../driver.ts';
import { keyed } from '../../keys.ts';
import { failed } from '../../results.ts';
import { Child, openBoth } from './child.ts';
import { listBoth } from './list-both.ts';
import { copiesOf, isTooLong, type Trial, take, tryRead } from './race.ts';

/** One that takes longer has failed. Less than the whole call has, so that the other one can still answer. */
const CHILD_MS = {
  open: 8_000,
  close: 3_000,
  has: 2_000,
  read: 5_000,
  write: 15_000,
  remove: 2_000,
  list: 20_000,
};
/** When the first has not answered by then, the second is asked too. */
const HEDGE_MS = 100;
/** How long a write waits for one store when the other one has stored everything. */
const GRACE_MS = 1_000;

/** Two stores that hold the same. Each call needs only one of them; a hit of one is a hit. */
export function mirrorDriver(
  firstDriver: StorageDriver,
  secondDriver: StorageDriver,
  clock: Clock = systemClock,
): StorageDriver {
  const gate = new CallGate({ failedBy: (error) => failed('io', String(error)) });
  const first = new Child('first', firstDriver, clock, CHILD_MS);
  const second = new Child('second', secondDriver, clock, CHILD_MS);
  const capabilities = [firstDriver.capabilities, secondDriver.capabilities];
  const ttls = capabilities.flatMap(({ ttl }) => ttl ?? []);
  const canList = capabilities.every(({ list }) => list);
  /** Writes that go on after their answer. */
  const late = new Map<Promise<unknown>, Set<string>>();

  /** Both, who answers first: one that rests comes last. */
  const inOrder = () =>
    (reluctance(first) > reluctance(second) ? [second, first] : [first, second]) as [Child, Child];

  /** Whether it came before the time was over, or the signal aborted. */
  async function isSoon(work: Promise<unknown>, milliseconds: number, signal: AbortSignal): Promise<boolean> {
    const timer = new AbortController();
    const isOver = clock.sleep(milliseconds, AbortSignal.any([signal, timer.signal])).then(() => false);
    const isDone = await Promise.race([work.then(() => true), isOver]);
    timer.abort();
    return isDone;
  }

  async function has(keys: readonly string[], signal: AbortSignal): Promise<HasResult[]> {
    const [one, two] = inOrder();
    const asking = one.heard(one.driver.has(keys, signal));
    if (!(await isSoon(asking, HEDGE_MS, signal))) {
      const other = two.heard(two.driver.has(keys, signal));
      const soonest = await Promise.race([asking, other]);
      if (soonest.every(isHit)) return soonest;
      const [a, b] = await Promise.all([asking, other]);
      return a.map((result, i) => better(result, b[i]!));
    }
    const known = await asking;
    const open = keys.filter((_, i) => !isHit(known[i]!));
    if (open.length === 0 || two.rests) return known;
    const rest = await two.heard(two.driver.has(open, signal));
    return known.map((result) => (isHit(result) ? result : better(result, rest.shift()!)));
  }

  async function read(reads: readonly Read[], signal: AbortSignal): Promise<ReadResult[]> {
    const enough = new AbortController();
    const both = AbortSignal.any([signal, enough.signal]);
    const begun: [Child, Promise<ReadResult[]>][] = [];
    const tryOne: TryOne = (child) => {
      const work = tryRead(child.driver, reads, both);
      const heard = child.heardRead(work.then(({ results }) => results));
      begun.push([child, heard]);
      return { work, heard };
    };
    try {
      return await readFrom(inOrder(), reads, tryOne, signal);
    } finally {
      enough.abort();
      for (const [child, heard] of begun) void child.lend(room(reads), heard);
    }
  }

  async function readFrom(
    [one, two]: [Child, Child],
    reads: readonly Read[],
    tryOne: TryOne,
    signal: AbortSignal,
  ): Promise<ReadResult[]> {
    if (one.isOverdue) return reads.map(() => OVERDUE);
    const asking = tryOne(one);
    const isFirst = await isSoon(asking.heard, HEDGE_MS, signal);
    if (!isFirst && !two.rests) {
      const other = tryOne(two);
      const isOvertaken = Promise.race([asking.work.then(() => false), other.work.then(() => true)]);
      const soonest = await Promise.race([asking.work, other.work]);
      await take(soonest, reads, signal);
      if (soonest.results.every(isHit)) {
        if (await isOvertaken) one.overtaken();
        return soonest.results;
      }
      const [a, b] = await Promise.all([asking.work, other.work]);
      await take(a, reads, signal);
      await take(
        { ...b, results: b.results.map((result, i) => (isHit(a.results[i]!) ? MISS : result)) },
        reads,
        signal,
      );
      return a.results.map((result, i) => better(free(result), free(b.results[i]!)));
    }
    const known = await asking.work;
    await take(known, reads, signal);
    const open = reads.filter((_, i) => !isHit(known.results[i]!));
    if (open.length === 0 || two.rests) return known.results.map(free);
    signal.throwIfAborted();
    // Nobody else fills the callers' buffers now.
    const rest = await two.heardRead(two.driver.read(open, signal));
    if (signal.aborted) await Promise.all(rest.map(settledOf));
    const answers = known.results.map((result) =>
      isHit(result) ? result : better(free(result), rest.shift()!),
    );
    // Whoever was asked last may have left anything in the buffers.
    const isKept = (result: ReadResult, i: number) =>
      isTooLong(result) && !isHit(answers[i]!) && settledOf(answers[i]!) === undefined;
    const kept = known.results.map((result, i) => (isKept(result, i) ? result : MISS));
    await take({ ...known, results: kept }, reads, signal);
    return answers;
  }

  async function write(writes: readonly Write[], signal: AbortSignal): Promise<WriteResult[]> {
    const able = [first, second].filter(({ isOverdue }) => !isOverdue);
    if (able.length === 0) return writes.map(() => OVERDUE);
    // Copies: a store that hangs would keep the callers' buffers.
    const copies = await copiesOf(writes, signal);
    const awake = able.filter(({ rests }) => !rests);
    const asked = awake.length > 0 ? awake : able;
    const calls = asked.map((child) => child.heard(child.driver.write(copies, signal)));
    for (const call of calls) {
      late.set(call, new Set(keysOf(copies)));
      void call.finally(() => late.delete(call));
    }
    const soonest = await Promise.race(calls);
    const all = Promise.all(calls);
    const isEnough = soonest.every(isWritten) && !(await isSoon(all, GRACE_MS, signal));
    const answers = isEnough ? [soonest] : await all;
    const bytes = copies.reduce((sum, { parts }) => sum + totalBytes(parts), 0);
    for (const [i, child] of asked.entries()) void child.lend(bytes, calls[i]!);
    return copies.map((_, i) => answers.map((answer) => answer[i]!).reduce(betterWrite)).map(free);
  }

  async function remove(keys: readonly string[], signal: AbortSignal): Promise<RemoveResult[]> {
    // What is still being written would be there afterwards.
    const writing = [...late].filter(([, written]) => keys.some((key) => written.has(key)));
    await Promise.all(writing.map(([call]) => call));
    const [a, b] = await Promise.all(
      [first, second].map((child) => child.heard(child.driver.remove(keys, signal))),
    );
    // A copy that stays would be found again.
    return keys.map((_, i) => [a![i]!, b![i]!].reduce(worseRemoval)).map(free);
  }

  const keysOf = (items: readonly { key: string }[]) => items.map(({ key }) => key);
  return {
    name: 'mirror',
    capabilities: Object.freeze({
      batch: Math.min(...capabilities.map(({ batch }) => batch)),
      get largestValue() {
        return Math.min(...capabilities.map(({ largestValue }) => largestValue));
      },
      list: canList,
      ...(ttls.length > 0 && { ttl: Math.min(...ttls) }),
    }),
    async open(signal) {
      await openBoth('mirror', [first, second], AbortSignal.any([signal, gate.closing]));
      gate.open();
    },
    async close() {
      await gate.close();
      await Promise.all([first.driver.close(), second.driver.close()]);
      await Promise.all(late.keys());
    },
    has: (keys, signal) => gate.batch(keys.map(keyed), signal, (good, both) => has(keysOf(good), both)),
    read: (reads, signal) => gate.batch(reads, signal, read),
    write: (writes, signal) => gate.batch(writes, signal, write),
    remove: (keys, signal) => gate.batch(keys.map(keyed), signal, (good, both) => remove(keysOf(good), both)),
    ...(canList && {
      list: async (cursor: string | undefined, signal: AbortSignal) => {
        if (!gate.isOpen) throw failure('storage_failed', { backend: 'mirror', reason: 'It is not open.' });
        return listBoth(first.driver, second.driver, cursor, AbortSignal.any([signal, gate.closing]));
      },
    }),
    usage: firstDriver.usage && (() => firstDriver.usage!()),
  };
}

/** Begins to read all from one store, into memory of its own. */
type TryOne = (child: Child) => { work: Promise<Trial>; heard: Promise<ReadResult[]> };

const MISS = { status: 'miss' } as const;
const OVERDUE = failed('timeout', 'Both stores still hold what they did not answer in time.');

/** Who is asked last: one that is slow, later one that rests, and even later one that got too much already. */
function reluctance({ isSlow, rests, isOverdue }: Child): number {
  return Number(isSlow) + 2 * Number(rests) + 2 * Number(isOverdue);
}

function room(reads: readonly Read[]): number {
  return reads.reduce((sum, { into }) => sum + totalBytes(into), 0);
}

function isHit(result: { status: string }): boolean {
  return result.status === 'hit';
}

function isWritten({ status }: WriteResult): boolean {
  return status === 'stored' || status === 'exists';
}

/** A hit, else a miss: what one store could not say is as good as not there, and is computed again. */
function better<R extends HasResult | ReadResult>(one: R, other: R): R {
  if (isHit(one) || isHit(other)) return isHit(one) ? one : other;
  const inUse = [one, other].find((result) => settledOf(result) !== undefined);
  if (inUse) return inUse;
  // The caller's mistake, which another answer would hide.
  return [one, other].find(isTooLong) ?? (one.status === 'miss' ? one : other);
}

/** Of the first store where it has the value: that is the one that is read. */
function betterWrite(one: WriteResult, other: WriteResult): WriteResult {
  return isWritten(one) ? one : isWritten(other) ? other : one;
}

function worseRemoval(one: RemoveResult, other: RemoveResult): RemoveResult {
  if (one.status === 'error' || other.status === 'error') return one.status === 'error' ? one : other;
  return one.status === 'removed' ? one : other;
}

/** Only memory of our own was still in use. */
function free<R extends { status: string }>(result: R | Failed): R | Failed {
  if (!('error' in result)) return result;
  const { error } = result;
  return { status: 'error', error };
}

function settledOf(result: { status: string } | Failed): Promise<void> | undefined {
  return 'settled' in result ? result.settled : undefined;
}
