import { constants } from 'node:fs';
import { access, realpath } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { failure } from '../../../shared/errors.ts';
import { totalBytes } from '../../buffers.ts';
import { CallGate } from '../../call-gate.ts';
import { bytesOf } from '../../config.ts';
import type {
  HasResult,
  Listing,
  Read,
  ReadResult,
  RemoveResult,
  StorageDriver,
  Usage,
  Write,
  WriteResult,
} from '../../driver.ts';
import { keyed } from '../../keys.ts';
import { hitWith } from '../../results.ts';
import { makeFolder } from '../file/folders.ts';
import { closeEnvironment, type LmdbEnvironment, openEnvironment } from './environment.ts';
import { failedBy, reasonOf } from './lmdb-errors.ts';
import { folderOf, type LmdbOptions } from './options.ts';
import { LmdbStore } from './store.ts';

const DATA_FILE = 'values.mdb';
/** This thread copies values to and from LMDB: after so many bytes everything else in the process has its turn. */
const TURN_BYTES = 1 << 20;
/** Values that are brought into memory while those before them are copied. */
const PREFETCHED = 8;
const USES_TOGETHER = 1024;
const LIST_PORTION = 1000;

interface Opened {
  environment: LmdbEnvironment;
  store: LmdbStore;
}

/** Values in an LMDB environment, within a quota; the least recently used go first. Several processes may use it. */
export class LmdbDriver implements StorageDriver {
  readonly name = 'lmdb';
  readonly capabilities = Object.freeze({ batch: 128, largestValue: 2 ** 30, list: true });

  readonly #options: LmdbOptions;
  readonly #gate = new CallGate({ failedBy });
  #opening: Promise<Opened> | undefined;
  #store: LmdbStore | undefined;

  /** Throws `storage_config` for a quota of nothing. */
  constructor(options: LmdbOptions) {
    if (bytesOf(options.max_size) === 0)
      throw failure('storage_config', { backend: 'lmdb', path: 'max_size', expected: 'must be more than 0' });
    this.#options = options;
  }

  async open(): Promise<void> {
    this.#opening = this.#openStore();
    try {
      const { store } = await this.#opening;
      // Closed meanwhile, which closes the store.
      if (this.#gate.closing.aborted) throw new Error('It was closed.');
      this.#store = store;
      this.#gate.open();
    } catch (error) {
      throw failure('storage_failed', { backend: this.name, reason: reasonOf(error) }, { cause: error });
    }
  }

  async close(): Promise<void> {
    await this.#gate.close();
    const opened = await this.#opening?.catch(() => undefined);
    this.#opening = undefined;
    this.#store = undefined;
    if (!opened) return;
    // Uses that cannot be written down are lost, which costs an order.
    await opened.store.writeUses().catch(() => undefined);
    await closeEnvironment(opened.environment).catch(() => undefined);
  }

  has(keys: readonly string[], signal: AbortSignal): Promise<HasResult[]> {
    return this.#batch(keys.map(keyed), signal, async (good, store) =>
      good.map(({ key }) => (store.has(key) ? { status: 'hit' } : { status: 'miss' })),
    );
  }

  read(reads: readonly Read[], signal: AbortSignal): Promise<ReadResult[]> {
    return this.#batch(reads, signal, async (good, store, both) => {
      const fetch = (from: number) =>
        store.prefetch(good.slice(from, from + PREFETCHED).map(({ key }) => key));
      const results: ReadResult[] = [];
      let bytes = 0;
      let next = fetch(0);
      for (const [i, read] of good.entries()) {
        if (i % PREFETCHED === 0) {
          await next;
          next = fetch(i + PREFETCHED);
        }
        both.throwIfAborted();
        const value = store.get(read.key);
        bytes += value?.byteLength ?? 0;
        results.push(value ? this.#hit(value, read, store) : { status: 'miss' });
        if (bytes < TURN_BYTES) continue;
        bytes = 0;
        await setImmediate();
      }
      if (store.touchedCount >= USES_TOGETHER) void store.writeUses().catch(() => undefined);
      return results;
    });
  }

  write(writes: readonly Write[], signal: AbortSignal): Promise<WriteResult[]> {
    return this.#batch(writes, signal, async (good, store, both) => {
      const results: WriteResult[] = [];
      for (const portion of portions(good, store.transactionBytes)) {
        results.push(...(await store.put(portion, both)));
        // A transaction that is short enough ends within this turn.
        await setImmediate();
      }
      return results;
    });
  }

  remove(keys: readonly string[], signal: AbortSignal): Promise<RemoveResult[]> {
    return this.#batch(keys.map(keyed), signal, (good, store, both) =>
      store.remove(
        good.map(({ key }) => key),
        both,
      ),
    );
  }

  async list(cursor: string | undefined, signal: AbortSignal): Promise<Listing> {
    try {
      if (!this.#gate.isOpen || !this.#store) throw new Error('It is not open.');
      signal.throwIfAborted();
      this.#store.refresh();
      const { keys, bytes } = this.#store.list(cursor, LIST_PORTION);
      return { keys, bytes, next: keys.length === LIST_PORTION ? keys.at(-1) : undefined };
    } catch (error) {
      throw failure('storage_failed', { backend: this.name, reason: reasonOf(error) }, { cause: error });
    }
  }

  usage(): Usage | undefined {
    if (!this.#gate.isOpen || !this.#store) return undefined;
    this.#store.refresh();
    const { usedBytes } = this.#store;
    return { usedBytes, quotaBytes: bytesOf(this.#options.max_size), stuckValues: 0 };
  }

  async #openStore(): Promise<Opened> {
    const folder = folderOf(this.#options);
    let file: string;
    try {
      await makeFolder(folder);
      await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
      file = path.join(await realpath(folder), DATA_FILE);
    } catch (error) {
      throw new Error(`the folder cannot be used: check 'path' (${reasonOf(error)})`, { cause: error });
    }
    let environment: LmdbEnvironment | undefined;
    try {
      environment = await openEnvironment(file);
      const store = new LmdbStore(environment, bytesOf(this.#options.max_size));
      while (!(await store.enforce(this.#gate.closing)));
      return { environment, store };
    } catch (error) {
      if (environment) await closeEnvironment(environment).catch(() => undefined);
      const reason = `${DATA_FILE} cannot be opened: remove it, or check 'path' (${reasonOf(error)})`;
      throw new Error(reason, { cause: error });
    }
  }

  #batch<T extends { key: string }, R>(
    items: readonly T[],
    signal: AbortSignal,
    work: (items: readonly T[], store: LmdbStore, signal: AbortSignal) => Promise<R[]>,
  ) {
    return this.#gate.batch(items, signal, async (good, both) => {
      const store = this.#store;
      if (!store) throw new Error('It is not open.');
      store.refresh();
      return work(good, store, both);
    });
  }

  #hit(value: Uint8Array, read: Read, store: LmdbStore): ReadResult {
    const result = hitWith(value, read);
    if (result.status === 'hit') store.touch(read.key);
    return result;
  }
}

/** Some writes after the other, so many bytes in each portion unless one value is longer. */
function* portions(writes: readonly Write[], most: number): Generator<Write[]> {
  let portion: Write[] = [];
  let bytes = 0;
  for (const write of writes) {
    const length = totalBytes(write.parts);
    if (portion.length > 0 && bytes + length > most) {
      yield portion;
      portion = [];
      bytes = 0;
    }
    portion.push(write);
    bytes += length;
  }
  if (portion.length > 0) yield portion;
}
