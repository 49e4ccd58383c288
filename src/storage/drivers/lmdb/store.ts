import { stat } from 'node:fs/promises';
import { gather, totalBytes } from '../../buffers.ts';
import { unlessAborted } from '../../concurrency.ts';
import type { RemoveResult, Write, WriteResult } from '../../driver.ts';
import { failed } from '../../results.ts';
import type { Fact, LmdbEnvironment, State } from './environment.ts';

/** Among the facts. No key begins with a point. */
const STATE = '.state';
const BLOCK_BYTES = 4096;
/** Of LMDB before each value, and of both indexes for it. */
const OVERHEAD_BYTES = 16 + 512;
/**
 * Of the quota, the share that values may have. The rest is for what LMDB needs beside them: a page that was given back
 * stays until no reader and no flush needs the state before, and what is free is not always in one piece.
 */
const FOR_VALUES = 3 / 4;
const FOR_TRANSACTION = 1 / 64;
/** Of the quota, the share from which on the file should grow no more. */
const NEARLY_FULL = 7 / 8;
/** This thread copies what a transaction writes. */
const MOST_IN_TRANSACTION = 4 << 20;
const EVICTED_TOGETHER = 16;

/**
 * The values of an environment within a quota. Whatever is changed is changed in one transaction, so that all of it holds
 * for every process on the environment, whenever one of them is killed.
 */
export class LmdbStore {
  readonly #environment: LmdbEnvironment;
  readonly #maxBytes: number;
  /** Of values, as they are counted. */
  readonly #mostBytes: number;
  /** How much one transaction should write at most. */
  readonly transactionBytes: number;
  /** Used since that was last written down. */
  #touched = new Set<string>();
  #writingUses: Promise<void> | undefined;
  // LMDB takes a value in one piece: its parts are put together here, where it copies them from at once.
  #scratch = Buffer.alloc(0);

  /**
   * @param environment this store's, until it is closed
   * @param maxBytes what the data file may grow to
   */
  constructor(environment: LmdbEnvironment, maxBytes: number) {
    this.#environment = environment;
    this.#maxBytes = maxBytes;
    this.#mostBytes = Math.floor(FOR_VALUES * maxBytes);
    this.transactionBytes = Math.min(MOST_IN_TRANSACTION, Math.floor(FOR_TRANSACTION * maxBytes));
  }

  /** What a value takes of the data file. */
  static bytesOnDisk(bytes: number): number {
    return Math.ceil((bytes + OVERHEAD_BYTES) / BLOCK_BYTES) * BLOCK_BYTES;
  }

  get usedBytes(): number {
    return this.#state().usedBytes;
  }

  /** Lets the next look see what was committed since, here or by another process. */
  refresh(): void {
    this.#environment.refresh();
  }

  has(key: string): boolean {
    return this.#environment.facts.doesExist(key);
  }

  /** Brings values into memory, on another thread, so that to look at them does not wait for the disk. */
  prefetch(keys: string[]): Promise<void> {
    return this.#environment.values.prefetch(keys);
  }

  /** A value, valid until the next one is asked for. */
  get(key: string): Uint8Array | undefined {
    const found = this.#environment.values.getBinaryFast(key);
    // Its own length is that of the memory in which lmdb gives every value.
    return found && new Uint8Array(found.buffer, found.byteOffset, lastSize(this.#environment.values));
  }

  /** It was used. Written down with the next write, or by {@link writeUses}. */
  touch(key: string): void {
    this.#touched.add(key);
  }

  get touchedCount(): number {
    return this.#touched.size;
  }

  async writeUses(): Promise<void> {
    if (this.#touched.size === 0) return;
    this.#writingUses ??= this.#change(() => undefined).finally(() => (this.#writingUses = undefined));
    await this.#writingUses;
  }

  /** Writes some values at once: few, since this thread copies them all. */
  put(writes: readonly Write[], signal: AbortSignal): Promise<WriteResult[]> {
    const work = (state: State) => {
      // The state that a killed process was looking at is never needed again; it would keep the file growing.
      this.#environment.forgetDeadReaders();
      return writes.map((write) => this.#putOne(write, state));
    };
    return this.#change(work, signal, async () => {
      // Pages that were given back are used again once that has come to the disk. Until then the file would grow.
      const { size } = await stat(this.#environment.file);
      if (size > NEARLY_FULL * this.#maxBytes) await unlessAborted(this.#environment.flushed, signal);
    });
  }

  remove(keys: readonly string[], signal: AbortSignal): Promise<RemoveResult[]> {
    return this.#change(
      (state) => keys.map((key) => ({ status: this.#forget(key, state) ? 'removed' : 'miss' })),
      signal,
    );
  }

  /** Removes some of what is beyond the quota. Whether that was all of it. */
  enforce(signal: AbortSignal): Promise<boolean> {
    return this.#change((state) => {
      this.#evictOldest(state, 0, EVICTED_TOGETHER);
      return state.usedBytes <= this.#mostBytes;
    }, signal);
  }

  /** So many keys after one, in their order, with the lengths of their values. */
  list(after: string | undefined, count: number): { keys: string[]; bytes: number[] } {
    const begin = after === undefined ? {} : { start: after, exclusiveStart: true };
    // One more, for the state, which is somewhere among them.
    const all = [...this.#environment.facts.getRange({ ...begin, limit: count + 1 })];
    const entries = all.filter(({ key }) => key !== STATE).slice(0, count);
    return {
      keys: entries.map(({ key }) => key),
      bytes: entries.map(({ value }) => (Array.isArray(value) ? value[0] : 0)),
    };
  }

  #change<T>(work: (state: State) => T, signal?: AbortSignal, before?: () => Promise<void>): Promise<T> {
    const change = () => {
      const state = this.#state();
      try {
        this.#writeTouched(state);
        return work(state);
      } finally {
        // What was done before something failed is committed, too.
        this.#environment.facts.put(STATE, state);
      }
    };
    return this.#environment.transaction(change, signal, before);
  }

  #state(): State {
    const state = this.#environment.facts.get(STATE);
    return state === undefined || Array.isArray(state) ? { usedBytes: 0, nextUse: 1 } : state;
  }

  #fact(key: string): Fact | undefined {
    const fact = this.#environment.facts.get(key);
    return Array.isArray(fact) ? fact : undefined;
  }

  #putOne({ key, parts }: Write, state: State): WriteResult {
    const bytes = totalBytes(parts);
    const known = this.#fact(key);
    if (known?.[0] === bytes) {
      this.#use(key, known, state);
      return { status: 'exists' };
    }
    const size = LmdbStore.bytesOnDisk(bytes);
    if (size > this.#mostBytes) return failed('size', 'The value is larger than max_size has room for.');
    this.#forget(key, state);
    this.#evictOldest(state, size);
    if (this.#scratch.length < bytes) this.#scratch = Buffer.allocUnsafeSlow(bytes);
    const value = this.#scratch.subarray(0, bytes);
    gather(parts, value);
    this.#environment.values.put(key, value);
    state.usedBytes += size;
    this.#use(key, [bytes, 0], state);
    return { status: 'stored' };
  }

  #use(key: string, [bytes, before]: Fact, state: State): void {
    if (before > 0) this.#environment.uses.remove(before);
    const use = state.nextUse++;
    this.#environment.facts.put(key, [bytes, use]);
    this.#environment.uses.put(use, key);
  }

  #forget(key: string, state: State): boolean {
    const fact = this.#fact(key);
    if (!fact) return false;
    this.#environment.values.remove(key);
    this.#environment.uses.remove(fact[1]);
    this.#environment.facts.remove(key);
    state.usedBytes -= LmdbStore.bytesOnDisk(fact[0]);
    return true;
  }

  /** Makes room for so many bytes; removes no more values than `most`. */
  #evictOldest(state: State, bytes: number, most = Number.POSITIVE_INFINITY): void {
    let left = most;
    while (left > 0 && state.usedBytes + bytes > this.#mostBytes) {
      const oldest = [...this.#environment.uses.getRange({ limit: Math.min(left, EVICTED_TOGETHER) })];
      if (oldest.length === 0) return;
      for (const { key: use, value: key } of oldest) {
        if (state.usedBytes + bytes <= this.#mostBytes) return;
        left--;
        if (!this.#forget(key, state)) this.#environment.uses.remove(use);
      }
    }
  }

  #writeTouched(state: State): void {
    const touched = this.#touched;
    this.#touched = new Set();
    for (const key of touched) {
      const fact = this.#fact(key);
      if (fact) this.#use(key, fact, state);
    }
  }
}

function lastSize(database: object): number {
  return (database as { lastSize: number }).lastSize;
}
