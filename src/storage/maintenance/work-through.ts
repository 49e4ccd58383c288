/**
 * Does some work for each of many items, so many at a time. Items are taken as work ends, so a long list is never in
 * memory. Rejects with the first error of the items or the work, when all that was begun has ended.
 */
export async function workThrough<T>(
  items: AsyncIterable<T> | Iterable<T>,
  most: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const iterator = each(items);
  const worker = async () => {
    for (;;) {
      const { done, value } = await iterator.next();
      if (done) return;
      await work(value);
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: most }, worker));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
}

/** Its `next` may be called before the last one has ended: calls wait for each other. */
async function* each<T>(items: AsyncIterable<T> | Iterable<T>): AsyncGenerator<T> {
  yield* items;
}
