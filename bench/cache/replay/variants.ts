import type { ServedCacheOptions } from '../served-cache.ts';

/** One way to run the tiers. */
export interface Variant {
  name: string;
  evictionPolicy: ServedCacheOptions['evictionPolicy'];
  writePolicy: ServedCacheOptions['writePolicy'];
  storage: boolean;
  /** Whether L1 keeps what nobody uses; otherwise it holds what is being computed and no more. */
  keepsOnDevice: boolean;
}

const PLAIN = {
  evictionPolicy: 'lru',
  writePolicy: 'write_through',
  storage: false,
  keepsOnDevice: false,
} as const;

export const VARIANTS: readonly Variant[] = [
  { ...PLAIN, name: '`lru`' },
  { ...PLAIN, name: '`slru`', evictionPolicy: 'slru' },
  { ...PLAIN, name: '`lfu`', evictionPolicy: 'lfu' },
  { ...PLAIN, name: '`lru`, L1 is kept, `write_back`', keepsOnDevice: true, writePolicy: 'write_back' },
  {
    ...PLAIN,
    name: '`lru`, L1 is kept, `write_through_selective`',
    keepsOnDevice: true,
    writePolicy: 'write_through_selective',
  },
  { ...PLAIN, name: '`lru`, and an L3 without end', storage: true },
];

/**
 * @param hostTokens the size of L2
 * @param longest tokens of the longest request: the size of L1
 */
export function cacheOptions(
  { evictionPolicy, writePolicy, storage, keepsOnDevice }: Variant,
  hostTokens: number,
  longest: number,
): Omit<ServedCacheOptions, 'pageSize'> {
  const keepOnDevice = keepsOnDevice ? longest : 0;
  return { deviceTokens: longest, keepOnDevice, hostTokens, evictionPolicy, writePolicy, storage };
}
