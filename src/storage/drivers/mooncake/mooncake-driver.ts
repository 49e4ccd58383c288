import { type Clock, systemClock } from '../../../shared/clock.ts';
import { failure } from '../../../shared/errors.ts';
import { scatter, totalBytes } from '../../buffers.ts';
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
import { failed, hitWith } from '../../results.ts';
import type { MooncakeOptions } from './options.ts';
import { errorOf, jsonOf, Refused } from './refused.ts';
import { Removals } from './removals.ts';
import { type RestAnswer, RestClient, Unreachable } from './rest-client.ts';
import { bytesOfBeginning, bytesOfText, putBody, textLength } from './value-text.ts';

/** The service takes bodies of 100 MiB, in which a value is a third longer and stands beside its key. */
const LARGEST = 3 * ((100 * 2 ** 20 - 1024) / 4);
/** Of an answer that is no value. */
const SHORT_ANSWER = 4096;
/** Shorter than the deadline of an attach, so that who silently takes connections is named. */
const OPEN_MS = 5_000;
/** For what nobody waits for. */
const LATER_MS = 5_000;
/** A lease has 5 s or 10 s, as Mooncake's master is set up. */
const FIRST_WAIT_MS = 6_000;

interface Timing {
  clock: Clock;
  firstWaitMs: number;
}

/** Pages in Mooncake Store, through its REST service. */
export class MooncakeDriver implements StorageDriver {
  readonly name = 'mooncake';
  readonly capabilities = Object.freeze({ batch: 128, largestValue: LARGEST, list: false });
  readonly #client: RestClient;
  readonly #limit: Limiter;
  readonly #removals: Removals;
  readonly #gate = new CallGate({ failedBy });

  constructor(
    { url, concurrency }: MooncakeOptions,
    { clock, firstWaitMs }: Timing = { clock: systemClock, firstWaitMs: FIRST_WAIT_MS },
  ) {
    this.#client = new RestClient(url, concurrency);
    this.#limit = limiter(concurrency);
    const { closing } = this.#gate;
    const tryToRemove = async (key: string) => {
      const signal = AbortSignal.any([closing, AbortSignal.timeout(LATER_MS)]);
      return this.#remove(key, signal).then(
        (outcome) => outcome !== 'kept',
        () => false,
      );
    };
    this.#removals = new Removals({ clock, tryToRemove, closing, firstWaitMs });
  }

  async open(signal: AbortSignal): Promise<void> {
    const late = AbortSignal.timeout(OPEN_MS);
    try {
      await this.#exists('probe', AbortSignal.any([signal, this.#gate.closing, late]));
    } catch (error) {
      const isLate = error === late.reason;
      const cause = isLate
        ? new Unreachable(`${this.#client.host} has not answered for ${OPEN_MS / 1000} s.`)
        : error;
      throw failure('storage_failed', { backend: this.name, reason: this.#whyNot(cause) }, { cause });
    }
    this.#gate.open();
  }

  async close(): Promise<void> {
    await this.#gate.close();
    await this.#removals.settled();
    this.#client.close();
  }

  has(keys: readonly string[], signal: AbortSignal): Promise<HasResult[]> {
    return this.#gate.each(
      keys.map(keyed),
      signal,
      this.#limit,
      async ({ key }, both): Promise<HasResult> => {
        const isThere = !this.#removals.has(key) && (await this.#exists(key, both));
        return isThere ? { status: 'hit' } : MISS;
      },
    );
  }

  read(reads: readonly Read[], signal: AbortSignal): Promise<ReadResult[]> {
    return this.#gate.each(reads, signal, this.#limit, async (read, both) => {
      if (this.#removals.has(read.key)) return MISS;
      const path = `api/get/${inPath(read.key)}`;
      // One byte more than is needed shows whether the value is longer than its buffers.
      const limit = Math.max(textLength(totalBytes(read.into)) + 1, SHORT_ANSWER);
      const answer = await this.#client.call({ method: 'GET', path, limit }, both);
      if (answer.status === 404 && errorOf(answer) !== undefined) return MISS;
      if (answer.status !== 200) throw new Refused(answer);
      return resultOf(answer, read);
    });
  }

  write(writes: readonly Write[], signal: AbortSignal): Promise<WriteResult[]> {
    return this.#gate.each(writes, signal, unlimited, async (write, both) => {
      // What waits here waits for seconds, and must not keep others from the service.
      const isOver = await this.#removals.over(write.key, both);
      both.throwIfAborted();
      if (!isOver) return failed('io', 'The value that was there is being removed.');
      return this.#limit(() => this.#write(write, both), both);
    });
  }

  remove(keys: readonly string[], signal: AbortSignal): Promise<RemoveResult[]> {
    return this.#gate.each(
      keys.map(keyed),
      signal,
      this.#limit,
      async ({ key }, both): Promise<RemoveResult> => {
        if (this.#removals.has(key)) return MISS;
        const outcome = await this.#remove(key, both);
        if (outcome === 'miss') return MISS;
        if (outcome === 'kept' && !this.#removals.has(key) && !this.#removals.add(key))
          return failed(
            'io',
            'The store keeps what was read a moment ago, and too many values wait to be removed.',
          );
        return { status: 'removed' };
      },
    );
  }

  async #write({ key, parts }: Write, signal: AbortSignal): Promise<WriteResult> {
    if (totalBytes(parts) > LARGEST) return failed('size', 'The service takes no value of this size.');
    // The service says of a key that is there that it was stored, and leaves the value as it is.
    if (await this.#exists(key, signal)) return { status: 'exists' };
    const body = putBody(inPath(key), parts);
    const answer = await this.#client.call(
      { method: 'PUT', path: 'api/put', body, limit: SHORT_ANSWER },
      signal,
    );
    if (answer.status !== 200) throw new Refused(answer);
    return { status: 'stored' };
  }

  /** `kept` is what the store does with a value that was looked at or read in the last seconds. */
  async #remove(key: string, signal: AbortSignal): Promise<'removed' | 'miss' | 'kept'> {
    const path = `api/remove/${inPath(key)}`;
    const answer = await this.#client.call({ method: 'DELETE', path, limit: SHORT_ANSWER }, signal);
    if (answer.status === 200) return 'removed';
    if (answer.status !== 500) throw new Refused(answer);
    // The service says the same of a key that is not there.
    return (await this.#exists(key, signal)) ? 'kept' : 'miss';
  }

  async #exists(key: string, signal: AbortSignal): Promise<boolean> {
    const path = `api/exist/${inPath(key)}`;
    const answer = await this.#client.call({ method: 'GET', path, limit: SHORT_ANSWER }, signal);
    const exists = answer.status === 200 ? jsonOf(answer)?.exists : undefined;
    if (typeof exists === 'boolean') return exists;
    throw new Refused(answer);
  }

  #whyNot(error: unknown): string {
    const { host } = this.#client;
    if (error instanceof Unreachable)
      return `'url': ${error.message.replace(/\.$/, '')}: is Mooncake's REST service running there?`;
    if (!(error instanceof Refused)) return error instanceof Error ? error.message : String(error);
    if (error.kind === 'denied')
      return `'url': ${host} refused its user and password (status ${error.status})`;
    if (error.isService)
      return `'url': the REST service at ${host} runs, but its store does not: ${error.message}`;
    return `'url': what answers at ${host} is not Mooncake's REST service (status ${error.status}): name its port, not the master's`;
  }
}

const MISS = { status: 'miss' } as const;
const unlimited: Limiter = (work) => work();

/** The service's routes take no slash in a key; no key of the contract has this character. */
function inPath(key: string): string {
  return key.replaceAll('/', '~');
}

function resultOf({ body, isCut }: RestAnswer, read: Read): ReadResult {
  if (body.byteLength === 0) return failed('io', 'The service has the key, and could not read its value.');
  const value = isCut ? bytesOfBeginning(body) : bytesOfText(body);
  if (value === undefined) return failed('corrupt', 'What is stored is not the text of a value.');
  if (!isCut) return hitWith(value, read);
  scatter(value, read.into);
  return failed('size', 'The value does not fit into the buffers.');
}

function failedBy(error: unknown): Failed {
  if (error instanceof Refused) return failed(error.kind, error.message);
  if (error instanceof Unreachable) return failed('unreachable', error.message);
  return failed('io', error instanceof Error ? error.message : String(error));
}
