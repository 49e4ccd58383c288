import { failure } from '../../../shared/errors.ts';
import { totalBytes } from '../../buffers.ts';
import { CallGate } from '../../call-gate.ts';
import { unlessAborted } from '../../concurrency.ts';
import type {
  Capabilities,
  Failed,
  HasResult,
  Listing,
  Read,
  ReadResult,
  RemoveResult,
  StorageDriver,
  Write,
  WriteResult,
} from '../../driver.ts';
import { isKey, keyed } from '../../keys.ts';
import { failed, hitWith } from '../../results.ts';
import type { Sender } from './link.ts';
import { makeServers } from './make-servers.ts';
import type { RedisOptions } from './options.ts';
import { Problem } from './problems.ts';
import type { Servers } from './servers.ts';
import { type Settings, settingsOf } from './settings.ts';
import { Staging } from './staging.ts';
import { tlsConnection } from './tls.ts';

/** What the server takes as one text unless it is configured otherwise. */
const LARGEST = 512 * 2 ** 20;
/** Of a command besides its value, here and at the server. */
const COMMAND_BYTES = 512;
const STAGING_BYTES = 16 * 2 ** 20;

/** Values in Redis or Valkey: a server, a cluster, or the master that sentinels name. Each is one string of the server's. */
export class RedisDriver implements StorageDriver {
  readonly name = 'redis';
  readonly capabilities: Readonly<Capabilities>;
  readonly #settings: Settings;
  readonly #prefix: string;
  readonly #expiry: readonly string[];
  readonly #gate = new CallGate({ failedBy });
  readonly #staging = new Staging(STAGING_BYTES);
  #servers: Servers | undefined;

  /** Throws `storage_config` where options contradict each other. */
  constructor(options: RedisOptions) {
    const { prefix, ttl } = options;
    this.#settings = settingsOf(options);
    this.#prefix = prefix;
    this.#expiry = ttl === undefined ? [] : ['EX', String(ttl)];
    this.capabilities = Object.freeze({
      batch: 128,
      largestValue: LARGEST,
      list: true,
      ...(ttl === undefined ? {} : { ttl }),
    });
  }

  async open(signal: AbortSignal): Promise<void> {
    const both = AbortSignal.any([signal, this.#gate.closing]);
    try {
      const [redis, tls] = await Promise.all([
        import('@redis/client'),
        this.#settings.tls && tlsConnection(this.#settings.tls),
      ]);
      both.throwIfAborted();
      this.#servers = makeServers(redis, this.#settings, tls, this.#prefix);
      await this.#servers.open(both);
      both.throwIfAborted();
      this.#gate.open();
    } catch (error) {
      await this.#servers?.close();
      throw this.#broken(error, signal);
    }
  }

  async close(): Promise<void> {
    const ended = this.#gate.close();
    // Commands that were sent end with their connections.
    await this.#servers?.close();
    await ended;
  }

  has(keys: readonly string[], signal: AbortSignal): Promise<HasResult[]> {
    return this.#each(keys.map(keyed), signal, noBytes, async (server, name): Promise<HasResult> => {
      const found = await server.send(['EXISTS', name]);
      return { status: found === 1 ? 'hit' : 'miss' };
    });
  }

  read(reads: readonly Read[], signal: AbortSignal): Promise<ReadResult[]> {
    return this.#each(reads, signal, roomOf, async (server, name, read, both): Promise<ReadResult> => {
      const value = await server.send(['GET', name], 'bytes');
      if (!(value instanceof Buffer)) return { status: 'miss' };
      // Nobody waits for it any more.
      both.throwIfAborted();
      return hitWith(value, read);
    });
  }

  write(writes: readonly Write[], signal: AbortSignal): Promise<WriteResult[]> {
    return this.#each(
      writes,
      signal,
      bytesOf,
      async (server, name, { parts }, both): Promise<WriteResult> => {
        both.throwIfAborted();
        const [only] = parts;
        if (only && parts.length === 1) {
          const value = Buffer.from(only.buffer, only.byteOffset, only.byteLength);
          await server.send(['SET', name, value, ...this.#expiry]);
        } else {
          const value = this.#staging.gather(parts);
          await server.send(['SET', name, value, ...this.#expiry]);
          // Not after a failure: a connection that is lost may still hold it.
          this.#staging.giveBack(value);
        }
        return { status: 'stored' };
      },
    );
  }

  remove(keys: readonly string[], signal: AbortSignal): Promise<RemoveResult[]> {
    return this.#each(keys.map(keyed), signal, noBytes, async (server, name): Promise<RemoveResult> => {
      const removed = await server.send(['UNLINK', name]);
      return { status: removed === 1 ? 'removed' : 'miss' };
    });
  }

  async list(cursor: string | undefined, signal: AbortSignal): Promise<Listing> {
    const both = AbortSignal.any([signal, this.#gate.closing]);
    try {
      if (!this.#gate.isOpen || !this.#servers) throw new Problem('closed', 'It is not open.');
      const { names, next } = await unlessAborted(this.#servers.scan(cursor, both), both);
      const own = names.filter((name) => name.startsWith(this.#prefix));
      return { keys: own.map((name) => name.slice(this.#prefix.length)).filter(isKey), next };
    } catch (error) {
      throw this.#broken(error, signal);
    }
  }

  /** Every item is a command of its own, and its failure too; they are sent together, as far as there is room. */
  #each<T extends { key: string }, R>(
    items: readonly T[],
    signal: AbortSignal,
    bytes: (item: T) => number,
    work: (server: Sender, name: string, item: T, both: AbortSignal) => Promise<R>,
  ): Promise<(R | Failed)[]> {
    const one = async (item: T, both: AbortSignal): Promise<R | Failed> => {
      const size = bytes(item);
      if (size > LARGEST) return failed('size', 'A value has 512 MiB at most.');
      const name = this.#prefix + item.key;
      try {
        return await this.#servers!.run(name, size + COMMAND_BYTES, both, (server) =>
          work(server, name, item, both),
        );
      } catch (error) {
        return failedBy(error);
      }
    };
    return this.#gate.batch(items, signal, (good, both) => Promise.all(good.map((item) => one(item, both))));
  }

  #broken(error: unknown, signal: AbortSignal) {
    const { message } = failedBy(error).error;
    const reason = this.#gate.closing.aborted
      ? 'It was closed.'
      : signal.aborted
        ? 'The call was aborted.'
        : message;
    return failure('storage_failed', { backend: this.name, reason }, { cause: error });
  }
}

const noBytes = () => 0;
const bytesOf = ({ parts }: Write) => totalBytes(parts);
/** A value that does not fit is an error; what it costs until then is not known. */
const roomOf = ({ into }: Read) => Math.min(totalBytes(into), LARGEST);

function failedBy(error: unknown): Failed {
  if (error instanceof Problem) return failed(error.kind, error.message);
  return failed('io', error instanceof Error ? error.message : String(error));
}
