import type { HasResult, Listing, StorageDriver } from '../../driver.ts';

/** One portion of what the first store has, and then of what only the second one has. Both can list. */
export async function listBoth(
  first: StorageDriver,
  second: StorageDriver,
  cursor = '1',
  signal: AbortSignal,
): Promise<Listing> {
  const [place, from] = [cursor.slice(0, 1), cursor.slice(1) || undefined];
  if (place === '1') {
    const listing = await first.list!(from, signal);
    return { ...listing, next: listing.next === undefined ? '2' : `1${listing.next}` };
  }
  const { keys, bytes, next } = await second.list!(from, signal);
  const known: HasResult[] = [];
  const { batch } = first.capabilities;
  for (let i = 0; i < keys.length; i += batch)
    known.push(...(await first.has(keys.slice(i, i + batch), signal)));
  const isMissing = (_: unknown, i: number) => known[i]?.status !== 'hit';
  return {
    keys: keys.filter(isMissing),
    ...(bytes && { bytes: bytes.filter(isMissing) }),
    next: next === undefined ? undefined : `2${next}`,
  };
}
