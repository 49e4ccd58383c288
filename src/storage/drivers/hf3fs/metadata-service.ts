import { type Static, type TSchema, Type } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';

const Index = Type.Integer({ minimum: -1 });
const Found = Compile(Type.Object({ exists: Type.Array(Type.Boolean()) }));
const Indices = Compile(Type.Object({ indices: Type.Array(Type.Union([Index, Type.Null()])) }));
const Reserved = Compile(Type.Object({ indices: Type.Array(Type.Tuple([Type.Boolean(), Index])) }));
const Nothing = Compile(Type.Unknown());

/** Of pages of others, which SGLang keeps under the names of its own. */
const NAMESPACE = 'tierkv';
/** An answer for a batch has a few bytes for each key. */
const LONGEST_ANSWER = 1 << 16;

/** A place for a key. Where it is `taken`, the key has it already. */
export interface Place {
  taken: boolean;
  index: number;
}

/** What became of places that were reserved. */
export interface Outcome {
  written: readonly (readonly [key: string, index: number])[];
  released: readonly number[];
}

/** It answered with something else than its protocol says, or could not be asked. */
export class ServiceError extends Error {
  readonly isUnreachable: boolean;

  constructor(message: string, isUnreachable: boolean, cause?: unknown) {
    super(message, { cause });
    this.isUnreachable = isUnreachable;
  }
}

/**
 * The metadata service of SGLang's 3FS backend (`mini_3fs_metadata_server`): says which key has which place in a data
 * file, and hands out places, the least recently used ones when there is none. All calls throw {@link ServiceError}, or
 * the signal's reason.
 */
export class MetadataService {
  readonly #url: string;
  readonly #places: number;

  /** @param places of the data file, all told */
  constructor(url: string, rank: string, places: number) {
    this.#url = `${url.replace(/\/+$/, '')}/${rank}`;
    this.#places = places;
  }

  async initialize(signal: AbortSignal): Promise<void> {
    await this.#post('initialize', { num_pages: this.#places }, Nothing, signal);
  }

  async exists(keys: readonly string[], signal: AbortSignal): Promise<boolean[]> {
    return sameLength(keys, (await this.#ask('exists', { keys }, Found, signal)).exists);
  }

  /** Looking a key up is a use of it. */
  async indices(keys: readonly string[], signal: AbortSignal): Promise<(number | undefined)[]> {
    const { indices } = await this.#ask('get_page_indices', { keys }, Indices, signal);
    return sameLength(keys, indices).map((index) => (index === null || index < 0 ? undefined : index));
  }

  /** Nobody else gets such a place until it is {@link confirm}ed or released, nor ever if that does not happen. */
  async reserve(keys: readonly string[], signal: AbortSignal): Promise<Place[]> {
    const body = { keys: keys.map((key) => [key, '']) };
    const { indices } = await this.#ask('reserve_and_allocate_page_indices', body, Reserved, signal);
    return sameLength(keys, indices).map(([taken, index]) => ({ taken, index }));
  }

  /** All of it, or nothing. */
  async confirm({ written, released }: Outcome, signal: AbortSignal): Promise<void> {
    if (written.length === 0 && released.length === 0) return;
    const body = { written_keys_to_confirm: written, pages_to_release: released };
    await this.#ask('confirm_write', body, Nothing, signal);
  }

  async remove(keys: readonly string[], signal: AbortSignal): Promise<void> {
    await this.#ask('delete_keys', { keys }, Nothing, signal);
  }

  /** One that was restarted without its memory does not know the file any more, and says so before it does anything. */
  async #ask<S extends TSchema>(
    call: string,
    body: object,
    answer: Validator<Record<never, never>, S>,
    signal: AbortSignal,
  ): Promise<Static<S>> {
    const first = await this.#post(call, body, answer, signal);
    if (first !== 'unknown') return first.answer;
    await this.initialize(signal);
    const second = await this.#post(call, body, answer, signal);
    if (second !== 'unknown') return second.answer;
    throw new ServiceError(`The metadata service does not know ${call}.`, false);
  }

  async #post<S extends TSchema>(
    call: string,
    body: object,
    answer: Validator<Record<never, never>, S>,
    signal: AbortSignal,
  ): Promise<{ answer: Static<S> } | 'unknown'> {
    let status: number;
    let text: string;
    try {
      const response = await fetch(`${this.#url}/${call}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ ...body, namespace: NAMESPACE }),
        redirect: 'manual',
        signal,
      });
      status = response.status;
      text = await beginning(response);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ServiceError) throw error;
      throw new ServiceError('The metadata service cannot be reached.', true, error);
    }
    if (status === 404 && call !== 'initialize') return 'unknown';
    if (status !== 200 && status !== 204)
      throw new ServiceError(`The metadata service answered ${call} with status ${status}.`, status >= 500);
    const parsed = text === '' ? {} : parse(text);
    if (!answer.Check(parsed))
      throw new ServiceError(
        `The metadata service answered ${call} with something else than it should.`,
        false,
      );
    return { answer: parsed };
  }
}

async function beginning({ body }: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of body ?? []) {
    parts.push(part);
    bytes += part.byteLength;
    if (bytes > LONGEST_ANSWER)
      throw new ServiceError('The metadata service answered without an end.', false);
  }
  return Buffer.concat(parts).toString();
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function sameLength<T>(keys: readonly string[], answers: T[]): T[] {
  if (answers.length === keys.length) return answers;
  throw new ServiceError('The metadata service answered for other keys than it was asked for.', false);
}
