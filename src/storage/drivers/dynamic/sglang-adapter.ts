import { CallGate } from '../../call-gate.ts';
import { limiter, unlessAborted } from '../../concurrency.ts';
import type { Failed, ReadResult, RemoveResult, StorageDriver, WriteResult } from '../../driver.ts';
import { keyed } from '../../keys.ts';
import { failed, hitWith } from '../../results.ts';
import { Removed } from './removed.ts';

/**
 * A store in the shape of SGLang's `HiCacheStorage`, with its names and meanings. Every method may be asynchronous;
 * what comes back is checked, whatever is declared here.
 */
export interface SglangStore {
  /** The value, or null. */
  get(key: string): unknown;
  /** Whether it was stored. */
  set(key: string, value: Uint8Array): unknown;
  exists(key: string): unknown;
  /** A value or null for each key. */
  batch_get?(keys: string[]): unknown;
  /** Whether all were stored, or a boolean for each. */
  batch_set?(keys: string[], values: Uint8Array[]): unknown;
  /** How many keys exist before the first one that does not. */
  batch_exists?(keys: string[]): unknown;
  /** Not SGLang's: whether there was something to delete. */
  delete?(key: string): unknown;
  /** Not SGLang's: called at the end. */
  close?(): unknown;
}

const BATCH = 128;
const LARGEST = 2 ** 30;
/** Calls at a time where the store has none for many keys. */
const CONCURRENCY = 16;

/** A driver over such a store. Values are copied: the store may keep what it is given. */
export function sglangDriver(store: SglangStore): StorageDriver {
  const gate = new CallGate({ failedBy: (error) => failed('io', messageOf(error)) });
  const limit = limiter(CONCURRENCY);
  const removed = new Removed();
  const call = async <T>(
    signal: AbortSignal,
    method: string,
    ask: () => unknown,
    is: (answer: unknown) => answer is T,
  ): Promise<T> => {
    signal.throwIfAborted();
    const answer = await unlessAborted(Promise.resolve(ask()), signal);
    if (is(answer)) return answer;
    throw new Error(`${method} answered with ${nameOf(answer)}.`);
  };
  const exists = (key: string, signal: AbortSignal) =>
    call(signal, 'exists', () => store.exists(key), isBoolean);

  const has = async (key: string, signal: AbortSignal) =>
    found(!removed.has(key) && (await exists(key, signal)));

  const hasAll = async (keys: string[], signal: AbortSignal) => {
    const isCount = (answer: unknown): answer is number =>
      Number.isInteger(answer) && Number(answer) >= 0 && Number(answer) <= keys.length;
    const leading = await call(signal, 'batch_exists', () => store.batch_exists!(keys), isCount);
    // It says nothing of the keys behind the first one that is missing.
    const others = keys.slice(leading + 1).map((key) => limit(() => has(key, signal), signal));
    const first = keys.slice(0, leading).map((key) => found(!removed.has(key)));
    return [...first, ...(leading < keys.length ? [MISS] : []), ...(await Promise.all(others))];
  };

  const toWrite = (key: string, parts: readonly Uint8Array[]): Buffer => {
    removed.forget(key);
    return Buffer.concat(parts);
  };

  return {
    name: 'sglang',
    capabilities: Object.freeze({ batch: BATCH, largestValue: LARGEST, list: false }),
    async open() {
      gate.open();
    },
    async close() {
      if (!gate.isOpen) return;
      await gate.close();
      await store.close?.();
    },
    has: (keys, signal) =>
      store.batch_exists
        ? gate.batch(keys.map(keyed), signal, (good, both) => hasAll(good.map(keyOf), both))
        : gate.each(keys.map(keyed), signal, limit, ({ key }, both) => has(key, both)),
    read: (reads, signal) =>
      store.batch_get
        ? gate.batch(reads, signal, async (good, both) => {
            const isList = isListOf(good.length, isAnything);
            const values = await call(both, 'batch_get', () => store.batch_get!(good.map(keyOf)), isList);
            return good.map((read, i) => resultOf(values[i], 'batch_get', read));
          })
        : gate.each(reads, signal, limit, async (read, both) =>
            resultOf(await call(both, 'get', () => store.get(read.key), isAnything), 'get', read),
          ),
    write: (writes, signal) =>
      store.batch_set
        ? gate.batch(writes, signal, async (good, both) => {
            const values = good.map(({ key, parts }) => toWrite(key, parts));
            const ask = () => store.batch_set!(good.map(keyOf), values);
            const answer = await call(both, 'batch_set', ask, isStored(good.length));
            return good.map((_, i) => stored(typeof answer === 'boolean' ? answer : answer[i] === true));
          })
        : gate.each(writes, signal, limit, async ({ key, parts }, both) =>
            stored(await call(both, 'set', () => store.set(key, toWrite(key, parts)), isBoolean)),
          ),
    remove: (keys, signal) =>
      gate.each(keys.map(keyed), signal, limit, async ({ key }, both): Promise<RemoveResult> => {
        if (store.delete) {
          const was = await call(both, 'delete', () => store.delete!(key), isBoolean);
          return was ? { status: 'removed' } : MISS;
        }
        if ((await has(key, both)).status === 'miss') return MISS;
        if (!(await call(both, 'set', () => store.set(key, Removed.value()), isBoolean)))
          return failed('io', 'The plugin did not overwrite the value, and has no delete.');
        removed.add(key);
        return { status: 'removed' };
      }),
  };
}

const MISS = { status: 'miss' } as const;
const found = (is: boolean) => (is ? ({ status: 'hit' } as const) : MISS);
const keyOf = ({ key }: { key: string }) => key;

function resultOf(value: unknown, method: string, read: Parameters<typeof hitWith>[1]): ReadResult {
  if (value === null || value === undefined) return MISS;
  if (!(value instanceof Uint8Array))
    return failed('io', `${method} answered with ${nameOf(value)}, not a Uint8Array or null.`);
  return Removed.is(value) ? MISS : hitWith(value, read);
}

function stored(is: boolean): WriteResult | Failed {
  return is ? { status: 'stored' } : failed('io', 'The plugin said that it did not store it.');
}

const isAnything = (_: unknown): _ is unknown => true;

function isBoolean(answer: unknown): answer is boolean {
  return typeof answer === 'boolean';
}

function isStored(length: number) {
  const isList = isListOf(length, isBoolean);
  return (answer: unknown): answer is boolean | boolean[] => isBoolean(answer) || isList(answer);
}

function isListOf<T>(length: number, is: (item: unknown) => item is T) {
  return (answer: unknown): answer is T[] =>
    Array.isArray(answer) && answer.length === length && answer.every(is);
}

/** What something is, without its content. */
function nameOf(value: unknown): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return String(value);
  return Array.isArray(value) ? `a list of ${value.length}` : typeof value;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
