import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { failure } from '../../../shared/errors.ts';
import { totalBytes } from '../../buffers.ts';
import { CallGate } from '../../call-gate.ts';
import { type Limiter, limiter, unlessAborted } from '../../concurrency.ts';
import type {
  Failed,
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
import { isKey, keyed } from '../../keys.ts';
import { failed } from '../../results.ts';
import { DirectFiles, tryDirectIo } from './direct-files.ts';
import { failedBy, isAbsent, messageInstead, messageOf } from './file-errors.ts';
import { listPages } from './list.ts';
import { type FileLimits, type FileOptions, folderOf, prepareFolder } from './options.ts';
import { ordinaryFiles, type PageFiles } from './page-file.ts';
import { PageIndex } from './page-index.ts';
import { namespaceOf, pagePath } from './paths.ts';
import { NoRoom, Quota } from './quota.ts';
import { Shelf } from './shelf.ts';

/** Files at a time, for reading and for writing. More would only take threads from llama.cpp. */
const PARALLEL = 8;

interface Opened {
  limits: FileLimits;
  files: PageFiles;
  quota: Quota;
}

/**
 * Pages as files of a folder, within a quota; the least recently used go first. Several processes may use one folder.
 *
 * A namespace (what stands before the last `/` of a key) belongs to this driver from the first look or write: only then
 * are its files counted and evicted, and is it kept when they are used. The index of them is filled in the background;
 * writes wait for it, nothing else does. Who only lists, reads and removes, as for checking pages, evicts nothing.
 */
export class FileDriver implements StorageDriver {
  readonly name = 'file';
  readonly capabilities = Object.freeze({ batch: 128, largestValue: 2 ** 30, list: true });

  readonly #root: string;
  readonly #options: FileOptions;
  readonly #index: PageIndex;
  readonly #shelf: Shelf;
  // Apart, so that a read never waits behind writes that wait for room.
  readonly #reading = limiter(PARALLEL);
  readonly #writing = limiter(PARALLEL);
  readonly #gate = new CallGate({
    failedBy: (error) => (error instanceof NoRoom ? failed(error.kind, error.message) : failedBy(error)),
  });
  /** By name: resolves when it was scanned and is within the quota. */
  readonly #namespaces = new Map<string, Promise<void>>();
  /** Present once it was opened. */
  #open: Opened | undefined;
  #scanning = 0;

  /** @param now milliseconds since the epoch; throws `storage_config` for options that contradict themselves */
  constructor(options: FileOptions, now: () => number = Date.now) {
    this.#root = folderOf(options);
    this.#options = options;
    this.#index = new PageIndex(now);
    this.#shelf = new Shelf(this.#root, this.#index, this.#gate.closing);
  }

  async open(): Promise<void> {
    try {
      const limits = await prepareFolder(this.#root, this.#options);
      await access(this.#root, constants.R_OK | constants.W_OK | constants.X_OK);
      if (this.#options.direct_io) await tryDirectIo(this.#root);
      const files = this.#options.direct_io ? new DirectFiles() : ordinaryFiles(limits.isLocal);
      this.#open = { limits, files, quota: new Quota(limits, this.#index, this.#shelf) };
      this.#gate.open();
    } catch (error) {
      const reason = messageInstead(error, this.#root);
      throw failure('storage_failed', { backend: this.name, reason }, { cause: error });
    }
  }

  async close(): Promise<void> {
    await this.#gate.close();
    await this.#shelf.settle();
    await this.#open?.quota.close();
  }

  has(keys: readonly string[], signal: AbortSignal): Promise<HasResult[]> {
    this.#useNamespaces(keys);
    return this.#each(keys.map(keyed), signal, this.#reading, ({ key }, { limits }) =>
      this.#hasOne(key, limits),
    );
  }

  read(reads: readonly Read[], signal: AbortSignal): Promise<ReadResult[]> {
    return this.#each(reads, signal, this.#reading, (read, { files }) => this.#readOne(read, files));
  }

  write(writes: readonly Write[], signal: AbortSignal): Promise<WriteResult[]> {
    this.#useNamespaces(writes.map(({ key }) => key));
    return this.#each(writes, signal, this.#writing, (write, open, both) =>
      this.#writeOne(write, both, open),
    );
  }

  remove(keys: readonly string[], signal: AbortSignal): Promise<RemoveResult[]> {
    return this.#each(keys.map(keyed), signal, this.#writing, async ({ key }) => ({
      status: (await this.#shelf.remove(key)) ? 'removed' : 'miss',
    }));
  }

  async list(cursor: string | undefined, signal: AbortSignal): Promise<Listing> {
    try {
      if (!this.#gate.isOpen) throw new Error('It is not open.');
      const both = AbortSignal.any([signal, this.#gate.closing]);
      both.throwIfAborted();
      return await listPages(this.#root, cursor, both);
    } catch (error) {
      throw failure('storage_failed', { backend: this.name, reason: messageOf(error) }, { cause: error });
    }
  }

  usage(): Usage | undefined {
    if (!this.#open || this.#scanning > 0 || this.#namespaces.size === 0) return undefined;
    const { limits, quota } = this.#open;
    return { usedBytes: quota.usedBytes, quotaBytes: limits.maxBytes, stuckValues: quota.stuckPages };
  }

  #each<T extends { key: string }, R>(
    items: readonly T[],
    signal: AbortSignal,
    limit: Limiter,
    work: (item: T, open: Opened, signal: AbortSignal) => Promise<R>,
  ): Promise<(R | Failed)[]> {
    return this.#gate.each(items, signal, limit, (item, both) => work(item, this.#open!, both));
  }

  async #hasOne(key: string, { metadataMs }: FileLimits): Promise<HasResult> {
    const now = this.#index.tick();
    if (metadataMs > 0 && this.#index.wasSeenSince(key, now - metadataMs)) return { status: 'hit' };
    if ((await this.#sizeOnDisk(key)) !== undefined) return { status: 'hit' };
    this.#index.dropUnlessSeenSince(key, now);
    return { status: 'miss' };
  }

  async #readOne(read: Read, files: PageFiles): Promise<ReadResult> {
    const { key } = read;
    const began = this.#index.tick();
    const bytes = await files.read(pagePath(this.#root, key), read, this.#index.bytesOf(key));
    if (bytes === 'absent') {
      this.#index.dropUnlessSeenSince(key, began);
      return { status: 'miss' };
    }
    if (bytes === 'too long') return failed('size', 'The value does not fit into the buffers.');
    if (this.#namespaces.has(namespaceOf(key))) this.#use(key);
    return { status: 'hit', bytes };
  }

  async #writeOne(
    { key, parts }: Write,
    signal: AbortSignal,
    { files, quota }: Opened,
  ): Promise<WriteResult> {
    const bytes = totalBytes(parts);
    if (bytes > this.capabilities.largestValue) return failed('size', 'The value is too large.');
    await unlessAborted(this.#namespaces.get(namespaceOf(key)) ?? Promise.resolve(), signal);
    const began = this.#index.tick();
    // One of another length is not the same value: it was cut off.
    const mayExist = this.#index.bytesOf(key) !== undefined || !quota.isAlone;
    if (mayExist && (await this.#sizeOnDisk(key)) === bytes) return this.#exists(key);
    // Before the lock: an eviction that makes room waits for locks.
    const room = await quota.reserve(key, bytes, files.bytesWhileWritten(bytes), signal);
    try {
      return await this.#shelf.lock(key, async () => {
        // Another call of this process has written it meanwhile.
        if (this.#index.wasSeenSince(key, began) && this.#index.bytesOf(key) === bytes)
          return this.#exists(key);
        await files.write(pagePath(this.#root, key), parts, signal);
        room.fill();
        return { status: 'stored' };
      });
    } finally {
      room.release();
    }
  }

  #exists(key: string): WriteResult {
    this.#use(key);
    return { status: 'exists' };
  }

  #use(key: string): void {
    this.#index.touch(key);
    this.#shelf.times.writeSometimes();
  }

  async #sizeOnDisk(key: string): Promise<number | undefined> {
    try {
      const stats = await stat(pagePath(this.#root, key));
      return stats.isFile() ? stats.size : undefined;
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  }

  #useNamespaces(keys: readonly string[]): void {
    const open = this.#open;
    if (open) for (const key of keys) if (isKey(key)) this.#useNamespace(namespaceOf(key), open);
  }

  /** A namespace that is used for the first time is scanned, and the quota then holds for its pages too. */
  #useNamespace(namespace: string, { quota }: Opened): void {
    if (this.#namespaces.has(namespace)) return;
    this.#shelf.addNamespace(namespace);
    this.#scanning++;
    const ready = this.#shelf.goesOn(quota.enforce()).then(() => void this.#scanning--);
    this.#namespaces.set(namespace, ready);
  }
}
