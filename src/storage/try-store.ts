import { randomBytes, randomUUID } from 'node:crypto';
import type { Clock } from '../shared/clock.ts';
import { Failure, failure } from '../shared/errors.ts';
import type { StorageCheck } from '../shared/storage-messages.ts';
import type { Failed, StorageDriver } from './driver.ts';
import { PAGE_FORMAT } from './layers/page-header.ts';
import type { StorageStack } from './stack.ts';

/** Enough to notice a store that mixes up or cuts values. */
const CANARY_BYTES = 1024;
/** A folder of its own: a store that counts what a namespace holds before it writes there is not kept from answering. */
const CANARY_FOLDER = 'canary';
/** What a step that failed may have left is removed within so long. */
const TIDY_MS = 1000;
/** The files of one store then stand in one folder, of which nothing but its emptiness is left. */
const CANARY_NAME = 'canary';

/**
 * Opens a store and shows that it works, step by step, with a value that is removed again: up to the first step that
 * fails. Of a full one nothing more is shown. The driver stays open, whatever came of it; the caller closes it.
 *
 * @param stack of which the store is used, with no namespace: nothing else in it is touched
 * @param pageBytes what a page needs room for
 */
export async function tryStore(
  { store: driver, pages }: Pick<StorageStack, 'store' | 'pages'>,
  pageBytes: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<StorageCheck[]> {
  const key = `${CANARY_FOLDER}/${CANARY_NAME}-${randomUUID()}`;
  const value = randomBytes(CANARY_BYTES);
  const back = new Uint8Array(CANARY_BYTES);
  const { largestValue } = driver.capabilities;
  let isFull = false;
  let mayBeThere = false;
  const steps: Record<string, () => Promise<string> | string> = {
    connect: async () => {
      await driver.open(signal);
      return `${driver.name} is open`;
    },
    limits: () => {
      const { largestValue: largestPage } = pages.capabilities;
      if (largestPage < pageBytes)
        throw new Error(`a page has ${pageBytes} bytes, and only ${largestPage} can be stored`);
      return `a page has ${pageBytes} bytes, a value at most ${largestValue}`;
    },
    version: () => `pages of format ${PAGE_FORMAT}`,
    write: async () => {
      mayBeThere = true;
      const [result] = await driver.write([{ key, parts: [value] }], signal);
      // A store that is full still has values to read.
      isFull = result?.status === 'error' && result.error.kind === 'full';
      mayBeThere = !isFull;
      return isFull ? 'it is full: what it holds is read, and nothing new is stored' : done(result, 'stored');
    },
    read: async () => {
      const [result] = await driver.read([{ key, into: [back] }], signal);
      done(result, 'hit');
      if (Buffer.compare(value, back) !== 0) throw new Error('what was read is not what was written');
      return `${CANARY_BYTES} bytes came back`;
    },
    remove: async () => {
      const [result] = await driver.remove([key], signal);
      return done(result, 'removed');
    },
  };
  const checks: StorageCheck[] = [];
  for (const [name, step] of Object.entries(steps)) {
    const began = clock.now();
    const { ok, detail } = await outcome(step, driver.name);
    checks.push({ name, ok, ms: Math.round(10 * (clock.now() - began)) / 10, detail });
    if (ok && !isFull) continue;
    if (mayBeThere) await removeSoon(driver, key, clock);
    break;
  }
  return checks;
}

/** Also where the signal of all else has aborted. */
async function removeSoon(driver: StorageDriver, key: string, clock: Clock): Promise<void> {
  const [late, done] = [new AbortController(), new AbortController()];
  void clock.sleep(TIDY_MS, done.signal).then(() => late.abort());
  await driver.remove([key], late.signal);
  done.abort();
}

async function outcome(
  step: () => Promise<string> | string,
  backend: string,
): Promise<{ ok: boolean; detail: string }> {
  try {
    return { ok: true, detail: await step() };
  } catch (error) {
    return { ok: false, detail: reasonOf(error, backend) };
  }
}

/** What the driver says; who reads it knows the backend, which every layer names once more. */
function reasonOf(error: unknown, backend: string): string {
  if (error instanceof Failure && error.cause instanceof Failure) return reasonOf(error.cause, backend);
  const message = error instanceof Error ? error.message : String(error);
  const { message: prefix } = failure('storage_failed', { backend, reason: '' });
  return message.startsWith(prefix) ? message.slice(prefix.length) : message;
}

function done(result: { status: string } | Failed | undefined, expected: string): string {
  if (result?.status === expected) return expected;
  if (result && 'error' in result) throw new Error(`${result.error.kind}: ${result.error.message}`);
  throw new Error(`the store answered ${result?.status ?? 'nothing'}`);
}
