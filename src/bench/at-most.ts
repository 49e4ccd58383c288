/** Does the work for each item, in order, so many at a time; gives the results in the order of the items. */
export async function atMost<T, R>(
  parallel: number,
  items: readonly T[],
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const left = items.entries();
  const worker = async () => {
    for (const [index, item] of left) results[index] = await work(item, index);
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  return results;
}
