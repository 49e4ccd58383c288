import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { failure } from '../../../shared/errors.ts';
import { totalBytes } from '../../buffers.ts';
import { CallGate } from '../../call-gate.ts';
import { limiter } from '../../concurrency.ts';
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
import { FILE_MODE, makeFolder } from '../file/folders.ts';
import { checkDataFile } from './data-file.ts';
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

/** Values in an LMDB environment, within a quota; the least recently used go first. Several processes may use it. */
export class LmdbDriver implements StorageDriver {
  readonly name = 'lmdb';
  readonly capabilities = Object.freeze({ batch: 128, largestValue: 2 ** 30, list: true });

  readonly #options: LmdbOptions;
  readonly #gate = new CallGate({ failedBy });
  /** Transactions that wait in lmdb would be carried out in one turn of this thread, however many they are. */
  readonly #writing = limiter(1);
  #opening: Promise<LmdbStore> | undefined;
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
      const store = await this.#opening;
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
    const store = await this.#opening?.catch(() => undefined);
    this.#opening = undefined;
    this.#store = undefined;
    // Uses that cannot be written down are lost, which costs an order.
    await store?.writeUses().catch(() => undefined);
    await store?.close().catch(() => undefined);
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
      if (store.touchedCount >= USES_TOGETHER) void this.#writeUses(store);
      return results;
    });
  }

  write(writes: readonly Write[], signal: AbortSignal): Promise<WriteResult[]> {
    return this.#batch(writes, signal, async (good, store, both) => {
      const results: WriteResult[] = [];
      for (const portion of portions(good, store.transactionBytes)) {
        const written = await this.#writing(async () => store.put(portion), both);
        results.push(...written);
        // A transaction that is short enough ends within this turn.
        await setImmediate();
      }
      return results;
    });
  }

  remove(keys: readonly string[], signal: AbortSignal): Promise<RemoveResult[]> {
    return this.#batch(keys.map(keyed), signal, (good, store, both) =>
      this.#writing(async () => store.remove(good.map(({ key }) => key)), both),
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

  async #openStore(): Promise<LmdbStore> {
    const folder = folderOf(this.#options);
    const file = path.join(folder, DATA_FILE);
    try {
      await makeFolder(folder);
      await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    } catch (error) {
      throw new Error(`the folder cannot be used: check 'path' (${reasonOf(error)})`, { cause: error });
    }
    const { open } = await import('lmdb');
    let store: LmdbStore | undefined;
    try {
      await checkDataFile(file);
      // The mode is missing in lmdb's types.
      const mode: object = { permissionsMode: FILE_MODE };
      const root = open<Buffer, string>({
        ...mode,
        path: file,
        noSubdir: true,
        encoding: 'binary',
        // It makes a promise that nobody can get, and that is rejected when a commit fails.
        eventTurnBatching: false,
      });
      store = new LmdbStore(root, file, bytesOf(this.#options.max_size));
      while (!(await store.enforce())) this.#gate.closing.throwIfAborted();
      return store;
    } catch (error) {
      await store?.close().catch(() => undefined);
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

  /** Not before the calls that wait. Never rejects. */
  #writeUses(store: LmdbStore): Promise<void> {
    return this.#writing(async () => {
      // Closing writes them itself.
      if (this.#gate.isOpen && store.touchedCount >= USES_TOGETHER) await store.writeUses();
    }).catch(() => undefined);
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
