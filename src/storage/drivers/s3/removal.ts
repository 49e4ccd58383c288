import type { Limiter } from '../../concurrency.ts';
import type { Failed, RemoveResult } from '../../driver.ts';
import type { Bucket } from './bucket.ts';
import { S3Error } from './s3-errors.ts';

/**
 * Removes values and says which were there, which S3 itself does not: it looks before. Not for those that were listed
 * last: who removes everything would ask for each of them again.
 */
export class Removal {
  readonly #limit: Limiter;
  #listed = new Set<string>();
  /** Until the store refuses. */
  #inOneRequest = true;

  constructor(limit: Limiter) {
    this.#limit = limit;
  }

  listed(keys: readonly string[]): void {
    this.#listed = new Set(keys);
  }

  async remove(bucket: Bucket, keys: readonly string[], signal: AbortSignal): Promise<RemoveResult[]> {
    const looks = await this.#each(
      keys,
      signal,
      async (key) => this.#listed.has(key) || bucket.has(key, signal),
    );
    const found = keys.filter((_, i) => looks[i] === true);
    const failures = await this.#delete(bucket, found, signal);
    return keys.map((key, i) => {
      const look = looks[i]!;
      if (look === false) return { status: 'miss' };
      if (look !== true) return look;
      const failure = failures.get(key);
      if (failure) return failure;
      this.#listed.delete(key);
      return { status: 'removed' };
    });
  }

  async #delete(bucket: Bucket, keys: readonly string[], signal: AbortSignal): Promise<Map<string, Failed>> {
    if (keys.length > 1 && this.#inOneRequest) {
      try {
        return await this.#limit(() => bucket.deleteAll(keys, signal), signal);
      } catch (error) {
        if (!(error instanceof S3Error) || !isNotKnown(error)) throw error;
        this.#inOneRequest = false;
      }
    }
    const results = await this.#each(keys, signal, (key) => bucket.delete(key, signal));
    return new Map(results.flatMap((result, i) => (result ? [[keys[i]!, result]] : [])));
  }

  #each<R>(
    keys: readonly string[],
    signal: AbortSignal,
    work: (key: string) => Promise<R>,
  ): Promise<(R | Failed)[]> {
    const one = async (key: string) => {
      try {
        signal.throwIfAborted();
        return await work(key);
      } catch (error) {
        // The whole call then, and not this key.
        signal.throwIfAborted();
        return S3Error.of(error).toFailed();
      }
    };
    return Promise.all(keys.map((key) => this.#limit(() => one(key), signal)));
  }
}

/** What stores answer with HTTP 400 to a request that they take for something else, as Google's does. */
const NOT_KNOWN = ['', 'InvalidArgument', 'MalformedXML', 'NotImplemented'];

/** A key that fails by itself is in the answer instead; other codes, as those of keys and clocks, say nothing of it. */
function isNotKnown({ status = 0, code }: S3Error): boolean {
  if (status === 400) return NOT_KNOWN.includes(code);
  return status === 405 || status === 501 || code === 'NotImplemented';
}
