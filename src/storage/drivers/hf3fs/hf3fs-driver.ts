import { totalBytes } from '../../buffers.ts';
import { CallGate } from '../../call-gate.ts';
import { type Limiter, limiter } from '../../concurrency.ts';
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
import { failedBy as fileFailedBy } from '../file/file-errors.ts';
import { Confirmations } from './confirmations.ts';
import { DataFile, HEAD_BYTES } from './data-file.ts';
import { type MetadataService, type Place, ServiceError } from './metadata-service.ts';
import { mountFailure, requireFolder } from './mount.ts';

/** For an answer when it is opened; and what was reserved must be confirmed or released, though nobody waits any more. */
const SERVICE_MS = 5_000;

export interface PlacedOptions {
  file: string;
  places: number;
  placeBytes: number;
  /** Places that are read at a time, and as many that are written. */
  parallel: number;
}

/** Pages in places of one data file on a mounted 3FS; a metadata service says which page is where. */
export class PlacedHf3fsDriver implements StorageDriver {
  readonly name = 'hf3fs';
  readonly capabilities: StorageDriver['capabilities'];

  readonly #options: PlacedOptions;
  readonly #service: MetadataService;
  readonly #confirmations: Confirmations;
  readonly #reading: Limiter;
  readonly #writing: Limiter;
  /** Two writes of one key would get two places, of which the service forgets one. */
  readonly #oneBatch = limiter(1);
  readonly #gate = new CallGate({ failedBy });
  #opening: Promise<DataFile> | undefined;
  #file: DataFile | undefined;

  constructor(options: PlacedOptions, service: MetadataService) {
    const largestValue = options.placeBytes - HEAD_BYTES;
    this.capabilities = Object.freeze({ batch: 128, largestValue, list: false });
    this.#options = options;
    this.#service = service;
    this.#confirmations = new Confirmations(service);
    this.#reading = limiter(options.parallel);
    this.#writing = limiter(options.parallel);
  }

  async open(signal: AbortSignal): Promise<void> {
    const { file, places, placeBytes } = this.#options;
    const both = AbortSignal.any([signal, this.#gate.closing]);
    try {
      await requireFolder(file);
      this.#opening = DataFile.open(file, places, placeBytes);
      this.#file = await this.#opening;
      await this.#initialize(both);
      both.throwIfAborted();
      this.#gate.open();
    } catch (error) {
      await this.#letGo();
      throw mountFailure(error);
    }
  }

  async close(): Promise<void> {
    await this.#gate.close();
    await this.#letGo();
  }

  async #initialize(signal: AbortSignal): Promise<void> {
    const late = AbortSignal.timeout(SERVICE_MS);
    await this.#service.initialize(AbortSignal.any([signal, late])).catch((error) => {
      if (error !== late.reason) throw error;
      throw new ServiceError(`The metadata service has not answered for ${SERVICE_MS / 1000} s.`, true);
    });
  }

  has(keys: readonly string[], signal: AbortSignal): Promise<HasResult[]> {
    return this.#gate.batch(keys.map(keyed), signal, async (good, both) => {
      const found = await this.#service.exists(keysOf(good), both);
      return found.map((isThere) => ({ status: isThere ? 'hit' : 'miss' }));
    });
  }

  read(reads: readonly Read[], signal: AbortSignal): Promise<ReadResult[]> {
    return this.#gate.batch(reads, signal, async (good, both) => {
      const indices = await this.#service.indices(keysOf(good), both);
      return Promise.all(
        good.map((read, i) =>
          this.#reading(() => this.#readOne(read, indices[i], both), both).catch(failedBy),
        ),
      );
    });
  }

  write(writes: readonly Write[], signal: AbortSignal): Promise<WriteResult[]> {
    return this.#gate.batch(writes, signal, (good, both) =>
      this.#oneBatch(async () => {
        const fitting = good.filter(({ parts }) => totalBytes(parts) <= this.capabilities.largestValue);
        const byKey = new Map(fitting.map((write) => [write.key, write]));
        const results = await this.#writeBatch([...byKey.values()], both);
        return good.map(({ key }) => results.get(key) ?? failed('size', 'The value is too large.'));
      }, both),
    );
  }

  remove(keys: readonly string[], signal: AbortSignal): Promise<RemoveResult[]> {
    return this.#gate.batch(keys.map(keyed), signal, async (good, both) => {
      const found = await this.#service.exists(keysOf(good), both);
      const there = keysOf(good).filter((_, i) => found[i]);
      if (there.length > 0) await this.#service.remove(there, both);
      return found.map((wasThere) => ({ status: wasThere ? 'removed' : 'miss' }));
    });
  }

  async #letGo(): Promise<void> {
    const file = await this.#opening?.catch(() => undefined);
    this.#opening = undefined;
    await file?.close().catch(() => undefined);
  }

  /** A place can become another key's between the look-up and the end of the read: then it is looked up once more. */
  async #readOne(read: Read, index: number | undefined, signal: AbortSignal): Promise<ReadResult> {
    let place = index;
    for (let looks = 0; looks < 2 && place !== undefined; looks++) {
      signal.throwIfAborted();
      const result = await this.#opened().read(place, read);
      if (result !== 'changed') return result;
      [place] = await this.#service.indices([read.key], signal);
    }
    if (place === undefined) return { status: 'miss' };
    return failed('corrupt', 'The place of the key holds something else.');
  }

  async #writeBatch(writes: readonly Write[], signal: AbortSignal): Promise<Map<string, WriteResult>> {
    if (writes.length === 0) return new Map();
    await this.#confirmations.settle(AbortSignal.timeout(SERVICE_MS));
    const results = new Map<string, WriteResult>();
    const places = await this.#service.reserve(keysOf(writes), AbortSignal.timeout(SERVICE_MS));
    const written: [key: string, index: number][] = [];
    const released: number[] = [];
    await Promise.all(
      writes.map(async (write, i) => {
        const place = places[i]!;
        const result = await this.#writeOne(write, place, signal).catch((error) =>
          signal.aborted ? failed('aborted', 'The call was aborted.') : failedBy(error),
        );
        results.set(write.key, result);
        if (result.status === 'stored') written.push([write.key, place.index]);
        else if (result.status === 'error' && this.#isPlace(place)) released.push(place.index);
      }),
    );
    await this.#confirmations.confirm({ written, released }, AbortSignal.timeout(SERVICE_MS));
    return results;
  }

  async #writeOne({ key, parts }: Write, place: Place, signal: AbortSignal): Promise<WriteResult> {
    if (place.taken) return { status: 'exists' };
    if (!this.#isPlace(place))
      return failed('full', 'The metadata service has no place in the data file: see file_size.');
    return this.#writing(async () => {
      await this.#opened().write(place.index, key, parts);
      return { status: 'stored' };
    }, signal);
  }

  #isPlace({ index }: Place): boolean {
    return index >= 0 && index < this.#options.places;
  }

  #opened(): DataFile {
    if (!this.#file) throw new Error('It is not open.');
    return this.#file;
  }
}

function keysOf(items: readonly { key: string }[]): string[] {
  return items.map(({ key }) => key);
}

function failedBy(error: unknown): Failed {
  if (error instanceof ServiceError) return failed(error.isUnreachable ? 'unreachable' : 'io', error.message);
  if (error instanceof Error && error.name === 'TimeoutError')
    return failed('unreachable', `The metadata service did not answer within ${SERVICE_MS / 1000} s.`);
  return fileFailedBy(error);
}
