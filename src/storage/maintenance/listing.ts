import { failure } from '../../shared/errors.ts';
import type { Listing, StorageDriver } from '../driver.ts';

/** A key that a store lists. */
export interface Entry {
  key: string;
  /** Of its value as the store keeps it; undefined where the list does not tell. */
  bytes: number | undefined;
}

/**
 * What a store lists, portion by portion, until the signal aborts. Throws `storage_failed` for a store that cannot list,
 * or whose list fails or does not end.
 *
 * A key that comes twice in one portion is given once. The contract says that none comes twice at all: one that does is
 * counted twice, and nothing else happens, since to remember every key would take more memory than there may be.
 */
export async function* portions(store: StorageDriver, signal: AbortSignal): AsyncGenerator<Entry[]> {
  if (!store.list) throw cannotList(store);
  const cursors = new Set<string>();
  let cursor: string | undefined;
  do {
    if (signal.aborted) return;
    let listing: Listing;
    try {
      listing = await store.list(cursor, signal);
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
    yield entriesOf(listing);
    cursor = listing.next;
    if (cursor === undefined) return;
    if (cursors.has(cursor))
      throw failure('storage_failed', { backend: store.name, reason: 'its list goes round in circles' });
    cursors.add(cursor);
  } while (!signal.aborted);
}

export function cannotList({ name }: StorageDriver): Error {
  return failure('storage_failed', { backend: name, reason: 'it cannot list what it holds' });
}

function entriesOf({ keys, bytes }: Listing): Entry[] {
  const known = Array.isArray(bytes) && bytes.length === keys.length ? bytes : [];
  const entries = new Map<string, Entry>();
  for (const [i, key] of keys.entries()) {
    const length = known[i];
    const isLength = length !== undefined && Number.isSafeInteger(length) && length >= 0;
    entries.set(key, { key, bytes: isLength ? length : undefined });
  }
  return [...entries.values()];
}
