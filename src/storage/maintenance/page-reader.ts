import type { StorageDriver, StorageError } from '../driver.ts';
import { type Damage, verifyPage } from '../layers/integrity.ts';
import { decodeHeader, HEADER_BYTES } from '../layers/page-header.ts';
import { ByteBudget } from './byte-budget.ts';
import type { Entry } from './listing.ts';
import { modelOf } from './pages.ts';

/** What a key that names a page was found to hold. Bytes are those of the value: header and page. */
export type PageOutcome =
  | { kind: 'good'; bytes: number; parts: readonly Uint8Array[] }
  | { kind: 'damaged'; reason: Damage; bytes: number }
  /** Removed or evicted since it was listed. */
  | { kind: 'gone' }
  | { kind: 'failed'; error: StorageError };

/** Of pages that are in memory at the same time. */
const IN_FLIGHT_BYTES = 64 << 20;
/** What is tried for the first page of a model in a store that does not list lengths. */
const FIRST_GUESS = 1 << 20;
const LARGEST_PAGE = 2 ** 30;
/** A value that is too long for the buffers tells its length: once is enough, unless it changes meanwhile. */
const TRIES = 3;

/**
 * Reads pages of any model and checks them as a server would: format, model, key, length, checksum. Nobody says how long
 * a page is, so its buffer is as long as the list says or as the last page of its model, and a page that does not fit is
 * read again with what its header asks for.
 */
export class PageReader {
  readonly #store: StorageDriver;
  readonly #budget = new ByteBudget(IN_FLIGHT_BYTES);
  /** Of the last good page, without its header, by model: all pages of a model are equally long. */
  readonly #lengths = new Map<string, number>();

  /** @param store with every layer that changes values, and no namespace */
  constructor(store: StorageDriver) {
    this.#store = store;
  }

  /**
   * Reads one page and hands it on; its memory is counted until that ends. May run for many pages at a time.
   *
   * @param entry of a key that {@link modelOf} knows
   */
  async read<T>(
    { key, bytes }: Entry,
    signal: AbortSignal,
    use: (outcome: PageOutcome) => Promise<T> | T,
  ): Promise<T> {
    const model = modelOf(key) ?? '';
    const listed = bytes === undefined ? undefined : Math.max(bytes - HEADER_BYTES, 0);
    const known = this.#lengths.get(model);
    // The list may tell the length of what is compressed; or anything, of a store that is broken.
    let room = Math.min(Math.max(listed ?? 0, known ?? 0) || FIRST_GUESS, IN_FLIGHT_BYTES);
    for (let tries = 1; ; tries++) {
      const giveBack = await this.#budget.take(room + HEADER_BYTES);
      try {
        const outcome = await this.#readInto(key, model, room, signal);
        const needed = 'needed' in outcome ? outcome.needed : undefined;
        if (needed === undefined || tries === TRIES || needed > LARGEST_PAGE)
          return await use('needed' in outcome ? outcome.otherwise : outcome);
        room = needed;
      } finally {
        giveBack();
      }
    }
  }

  async #readInto(key: string, model: string, room: number, signal: AbortSignal): Promise<Found> {
    const header = Buffer.alloc(HEADER_BYTES);
    const payload = Buffer.allocUnsafe(room);
    const [result] = await this.#store.read([{ key, into: [header, payload] }], signal);
    if (!result) return { kind: 'failed', error: { kind: 'io', message: 'The store gave no answer.' } };
    const read = result.status === 'hit' ? result.bytes : HEADER_BYTES + room;
    const outcome = verifyPage({ key, into: [payload] }, header, model, result);
    if (typeof outcome === 'string') return { kind: 'damaged', reason: outcome, bytes: read };
    if (outcome.status === 'miss') return { kind: 'gone' };
    if (outcome.status === 'hit') {
      this.#lengths.set(model, outcome.bytes);
      return { kind: 'good', bytes: read, parts: [header, payload.subarray(0, outcome.bytes)] };
    }
    const fields = outcome.error.kind === 'size' ? decodeHeader(header) : undefined;
    if (typeof fields !== 'object') return { kind: 'failed', error: outcome.error };
    return { needed: fields.payloadBytes, otherwise: { kind: 'damaged', reason: 'length', bytes: read } };
  }
}

/** `needed` is the length of a page that did not fit; where it is none, the page is damaged. */
type Found = PageOutcome | { needed: number; otherwise: PageOutcome };
