import { setImmediate } from 'node:timers/promises';
import { VirtualClock } from '../../../src/engine/simulated/virtual-clock.ts';
import type { StorageDriver, StorageErrorKind } from '../../../src/storage/driver.ts';
import { memoryDriver } from '../../../src/storage/drivers/memory.ts';
import { encodeHeader } from '../../../src/storage/layers/page-header.ts';
import { passThrough } from '../../../src/storage/layers/pass-through.ts';
import { failed } from '../../../src/storage/results.ts';
import { bytes, never, pageKey } from '../support/calls.ts';

export const MODELS = ['a', 'b', 'c'].map((letter) => letter.repeat(64)) as [string, string, string];

export interface Value {
  key: string;
  value: Uint8Array;
}

/** A page as a server writes it, by its number. */
export function page(model: string, seed: number, length = 500): Value {
  const key = `${model}/${pageKey(seed)}`;
  const payload = bytes(length, seed);
  const header = encodeHeader({ key, fingerprint: model, payloadBytes: length }, [payload]);
  return { key, value: Buffer.concat([header, payload]) };
}

export function pagesOf(model: string, count: number, length = 500): Value[] {
  return Array.from({ length: count }, (_, i) => page(model, i, length));
}

/** With one byte of it changed. */
export function damaged({ key, value }: Value, at = value.byteLength - 1): Value {
  const changed = Buffer.from(value);
  changed[at] = (changed[at] ?? 0) ^ 1;
  return { key, value: changed };
}

/** An open store with these values. */
export async function storeWith(...values: Value[]): Promise<StorageDriver> {
  const driver = memoryDriver();
  await driver.open(never);
  await driver.write(
    values.map(({ key, value }) => ({ key, parts: [value] })),
    never,
  );
  return driver;
}

/** A store whose list does not tell lengths. */
export function withoutLengths(driver: StorageDriver): StorageDriver {
  const base = passThrough(driver);
  const list = async (...args: Parameters<NonNullable<StorageDriver['list']>>) => {
    const { keys, next } = await base.list!(...args);
    return { keys, next };
  };
  return { ...base, list };
}

/** A store whose calls for single keys fail when the function says so. */
export function failing(
  driver: StorageDriver,
  fails: (operation: 'has' | 'read' | 'write' | 'remove', key: string) => boolean,
  kind: StorageErrorKind = 'unreachable',
): StorageDriver {
  const base = passThrough(driver);
  const failure = () => failed(kind, 'made by the test');
  async function each<T, R>(
    items: readonly T[],
    isBad: (item: T) => boolean,
    call: (good: T[]) => Promise<R[]>,
  ) {
    const bad = items.map(isBad);
    const answers = await call(items.filter((_, i) => !bad[i]));
    let next = 0;
    return bad.map((isOne) => (isOne ? failure() : answers[next++]!));
  }
  return {
    ...base,
    has: (keys, signal) =>
      each(
        keys,
        (key) => fails('has', key),
        (good) => base.has(good, signal),
      ),
    read: (reads, signal) =>
      each(
        reads,
        ({ key }) => fails('read', key),
        (good) => base.read(good, signal),
      ),
    write: (writes, signal) =>
      each(
        writes,
        ({ key }) => fails('write', key),
        (good) => base.write(good, signal),
      ),
    remove: (keys, signal) =>
      each(
        keys,
        (key) => fails('remove', key),
        (good) => base.remove(good, signal),
      ),
  };
}

/** Work during which time passes whenever somebody waits for it. */
export async function inTime<T>(work: (clock: VirtualClock) => Promise<T>): Promise<T> {
  const clock = new VirtualClock();
  let isOver = false;
  const ended = work(clock).finally(() => {
    isOver = true;
  });
  while (!isOver) {
    await setImmediate();
    if (clock.sleepers > 0) await clock.advance(10);
  }
  return ended;
}
