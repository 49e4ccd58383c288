import type { Failed, Listing, StorageDriver } from '../../driver.ts';
import { isOneOf, isReadResult } from '../../layers/result-checks.ts';
import { failed, isErrorKind } from '../../results.ts';
import type { Answers, FromPlugin, ReadAnswer, Request } from './messages.ts';

type Send = (message: FromPlugin, transfer?: ArrayBuffer[]) => void;

/** Calls of a plugin, in its thread. What it answers is checked and made plain before it leaves. */
export class PluginCalls {
  readonly #driver: StorageDriver;
  readonly #send: Send;
  readonly #running = new Map<number, { controller: AbortController; done: Promise<void> }>();

  constructor(driver: StorageDriver, send: Send) {
    this.#driver = driver;
    this.#send = send;
  }

  /** Never rejects. */
  async run({ id, request }: { id: number; request: Request }): Promise<void> {
    const controller = new AbortController();
    const done = this.#answer(id, request, controller.signal);
    this.#running.set(id, { controller, done });
    await done;
    this.#running.delete(id);
  }

  abort(id: number): void {
    this.#running.get(id)?.controller.abort();
  }

  async #answer(id: number, request: Request, signal: AbortSignal): Promise<void> {
    try {
      const transfer: ArrayBuffer[] = [];
      const answer = await this.#ask(request, signal, transfer);
      this.#send({ id, answer }, transfer);
    } catch (error) {
      this.#send({ id, thrown: thrownText(error) });
    }
  }

  async #ask(
    request: Request,
    signal: AbortSignal,
    transfer: ArrayBuffer[],
  ): Promise<Answers[Request['operation']]> {
    const driver = this.#driver;
    switch (request.operation) {
      case 'has':
        return plain(await driver.has(request.keys, signal), request.keys, isOneOf('hit', 'miss'));
      case 'remove':
        return plain(await driver.remove(request.keys, signal), request.keys, isOneOf('removed', 'miss'));
      case 'write': {
        const writes = request.writes.map(({ key, value }) => ({ key, parts: [value] }));
        return plain(await driver.write(writes, signal), writes, isOneOf('stored', 'exists'));
      }
      case 'read':
        return this.#read(request.reads, signal, transfer);
      case 'list': {
        const listing: unknown = await driver.list?.(request.cursor, signal);
        const { keys, bytes, next } = Object(listing) as Record<keyof Listing, unknown>;
        if (!isTexts(keys) || (next !== undefined && typeof next !== 'string'))
          throw new Error('list answered with no list');
        if (bytes === undefined) return { keys: [...keys], next };
        if (!areLengths(bytes) || bytes.length !== keys.length)
          throw new Error('list answered with something else than one length per key');
        return { keys: [...keys], bytes: [...bytes], next };
      }
      case 'close':
        await Promise.allSettled([...this.#running.values()].filter(isOther(signal)).map(({ done }) => done));
        await driver.close();
        return undefined;
    }
  }

  async #read(
    wanted: readonly { key: string; room: number }[],
    signal: AbortSignal,
    transfer: ArrayBuffer[],
  ): Promise<ReadAnswer[]> {
    const values = wanted.map(({ room }) => new Uint8Array(new ArrayBuffer(room)));
    const reads = wanted.map(({ key }, i) => ({ key, into: [values[i]!] }));
    const results = plain(await this.#driver.read(reads, signal), reads, isReadResult(reads));
    return results.map((result, i) => {
      const isThere = result.status === 'hit' || (result.status === 'error' && result.error.kind === 'size');
      if (!isThere) return { result };
      transfer.push(values[i]!.buffer);
      return { result, value: values[i]! };
    });
  }
}

const isOther =
  (signal: AbortSignal) =>
  ({ controller }: { controller: AbortController }) =>
    controller.signal !== signal;

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function areLengths(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

/** The results as data, and failures for those that make no sense. Throws where there is not one for each key. */
function plain<R extends { status: string }>(
  results: unknown,
  items: readonly unknown[],
  isResult: (result: unknown, index: number) => result is R | Failed,
): (R | Failed)[] {
  if (!Array.isArray(results) || results.length !== items.length)
    throw new Error('it answered with something else than one result per key');
  return Array.from(results, (result: unknown, index) => {
    if (!isResult(result, index)) return failed('io', 'The plugin answered with what is no result.');
    if ('error' in result) {
      const { kind, message } = result.error;
      return failed(isErrorKind(kind) ? kind : 'io', message);
    }
    const { status } = result;
    return ('bytes' in result ? { status, bytes: result.bytes } : { status }) as R;
  });
}

/** What was thrown, in words, whatever it is. */
export function thrownText(error: unknown): string {
  try {
    return error instanceof Error ? String(error.message) : String(error);
  } catch {
    return 'something that is no error';
  }
}
