import type { StorageDriver } from '../../storage/driver.ts';
import { bytes, never, outcome, portions, settled } from '../calls.ts';
import type { Stores } from '../case.ts';
import { expect, expectBytes, expectFilled, expectOneOf } from '../expect.ts';

/** So large that an answer does not come in one piece. */
export const VALUE_BYTES = 20_000;
/** For a call after the fault. */
export const PATIENCE_MS = 5_000;
/** Keys of each kind. */
const KEYS = 4;

const FAILURES = ['aborted', 'timeout', 'closed', 'full', 'denied', 'corrupt', 'unreachable', 'io'];

/**
 * One of every call at the same time, on keys of which everything is known: some are there and stay, some are not
 * there, some are written and some are removed. Every answer is looked at when it comes.
 */
export class Round {
  readonly #driver: StorageDriver;
  readonly #number: number;
  readonly #stay: string[];
  readonly #missing: string[];
  readonly #written: string[];
  readonly #removed: string[];
  /** Of the keys that were written and removed: what the driver said. */
  readonly #said = new Map<string, string>();
  readonly #freed: Promise<void>[] = [];
  readonly #buffers: Buffer[] = [];

  private constructor(driver: StorageDriver, number: number) {
    const keys = (name: string) => Array.from({ length: KEYS }, (_, i) => `round-${number}/${name}-${i}`);
    this.#driver = driver;
    this.#number = number;
    this.#stay = keys('stay');
    this.#missing = keys('missing');
    this.#written = keys('written');
    this.#removed = keys('removed');
  }

  /** Writes what is there before the round. */
  static async prepare(driver: StorageDriver, number: number): Promise<Round> {
    const round = new Round(driver, number);
    const keys = [...round.#stay, ...round.#removed];
    for (const portion of portions(keys, driver)) {
      const writes = portion.map((key) => ({ key, parts: [round.#valueOf(key)] }));
      expectOneOf(await driver.write(writes, never), portion.length, ['stored'], 'write before the fault');
    }
    return round;
  }

  /** Makes the calls. Resolves when all have answered, and throws where an answer is wrong. */
  async run(signal: AbortSignal): Promise<void> {
    const seen = [...this.#stay, ...this.#missing];
    const all = (keys: readonly string[], call: (portion: string[]) => Promise<void>) =>
      portions(keys, this.#driver).map(call);
    await Promise.all([
      ...all(seen, (keys) => this.#look(keys, signal)),
      ...all(seen, (keys) => this.#read(keys, signal)),
      ...all(this.#written, (keys) => this.#write(keys, signal)),
      ...all(this.#removed, (keys) => this.#remove(keys, signal)),
    ]);
  }

  /** That every call did what it was asked for. */
  expectAllGood(): void {
    for (const key of this.#written)
      expect(this.#said.get(key) === 'stored', `a write answered ${this.#said.get(key)}`);
    for (const key of this.#removed)
      expect(this.#said.get(key) === 'removed', `a remove answered ${this.#said.get(key)}`);
  }

  /** That the store is as the answers said. */
  async expectTrue(stores: Stores): Promise<void> {
    const expectStored = async (keys: readonly string[], allowed: (key: string) => readonly boolean[]) => {
      for (const key of keys) {
        const value = await readAfterFault(stores, this.#driver, key, VALUE_BYTES);
        const isThere = value !== undefined;
        const said = this.#said.get(key) ?? 'there before the fault, or never written';
        expect(allowed(key).includes(isThere), `'${key}' is ${isThere ? '' : 'not '}there, and was ${said}`);
        if (value) expectBytes(value, this.#valueOf(key), `the value of '${key}' after the fault`);
      }
    };
    await expectStored(this.#stay, () => [true]);
    await expectStored(this.#missing, () => [false]);
    await expectStored(this.#written, (key) => (this.#said.get(key) === 'stored' ? [true] : [true, false]));
    await expectStored(this.#removed, (key) => (this.#said.get(key) === 'removed' ? [false] : [true, false]));
  }

  /** Resolves when no buffer of the round is in use any more. */
  async freed(): Promise<void> {
    await Promise.all(this.#freed);
  }

  /** That nobody has touched a buffer since it was free. */
  expectBuffersAlone(): void {
    for (const buffer of this.#buffers) expectFilled(buffer, 9, 'a buffer of a call that was over');
  }

  async #look(keys: readonly string[], signal: AbortSignal): Promise<void> {
    const results = await this.#driver.has(keys, signal);
    for (const [i, key] of keys.entries()) this.#expectSeen(key, results[i]!, 'has');
  }

  async #read(keys: readonly string[], signal: AbortSignal): Promise<void> {
    const into = keys.map(() => Buffer.alloc(VALUE_BYTES + 100));
    const reads = keys.map((key, i) => ({
      key,
      into: [into[i]!.subarray(0, 5000), into[i]!.subarray(5000)],
    }));
    const results = await this.#driver.read(reads, signal);
    for (const [i, key] of keys.entries()) {
      const result = results[i]!;
      this.#expectSeen(key, result, 'read');
      if (result.status !== 'hit') continue;
      expectBytes(
        into[i]!.subarray(0, result.bytes),
        this.#valueOf(key),
        'a value that was read through the fault',
      );
    }
    this.#free(results, into);
  }

  async #write(keys: readonly string[], signal: AbortSignal): Promise<void> {
    const values = keys.map((key) => this.#valueOf(key));
    const results = await this.#driver.write(
      keys.map((key, i) => ({ key, parts: [values[i]!.subarray(0, 7), values[i]!.subarray(7)] })),
      signal,
    );
    expectOneOf(results, keys.length, ['stored', ...FAILURES], 'write');
    for (const [i, key] of keys.entries()) this.#said.set(key, outcome(results[i]!));
    this.#free(results, values);
  }

  async #remove(keys: readonly string[], signal: AbortSignal): Promise<void> {
    const results = await this.#driver.remove(keys, signal);
    // A miss is what a second try of the client finds.
    expectOneOf(results, keys.length, ['removed', 'miss', ...FAILURES], 'remove');
    for (const [i, key] of keys.entries()) this.#said.set(key, outcome(results[i]!));
  }

  #expectSeen(key: string, result: { status: string }, what: string): void {
    const right = this.#stay.includes(key) ? 'hit' : 'miss';
    expectOneOf(
      [result],
      1,
      [right, ...FAILURES],
      `${what} of a key that is ${right === 'hit' ? '' : 'not '}there`,
    );
  }

  /** Uses the buffers of a call for something else as soon as they are free. */
  #free(results: readonly object[], buffers: readonly Buffer[]): void {
    const free = () => {
      for (const buffer of buffers) this.#buffers.push(buffer.fill(9));
    };
    this.#freed.push(settled(results).then(free));
  }

  #valueOf(key: string): Buffer {
    const kind = [this.#stay, this.#missing, this.#written, this.#removed].findIndex((keys) =>
      keys.includes(key),
    );
    return bytes(VALUE_BYTES, 1 + 100 * this.#number + 10 * kind + Number(key.at(-1)));
  }
}

/** The value of a key, or undefined where there is none. Asks again where a connection of before the fault fails. */
export async function readAfterFault(
  { until }: Stores,
  driver: StorageDriver,
  key: string,
  length: number,
): Promise<Buffer | undefined> {
  let value: Buffer | undefined;
  await until(`a read of '${key}' to succeed after the fault`, async () => {
    const into = Buffer.alloc(length);
    const [result] = await driver.read([{ key, into: [into] }], AbortSignal.timeout(PATIENCE_MS));
    if (result?.status === 'hit') value = into.subarray(0, result.bytes);
    return result?.status !== 'error';
  });
  return value;
}
