import type { Target } from '../target.ts';
import { directFileTarget, fileTarget } from './file.ts';
import { lmdbTarget } from './lmdb.ts';
import { memoryTarget } from './memory.ts';
import { mooncakeTarget } from './mooncake.ts';
import { redisTarget } from './redis.ts';
import { s3Target } from './s3.ts';

/** Every backend that can be measured here; a text says why one cannot. */
export const TARGETS: Record<string, () => Promise<Target | string>> = {
  memory: memoryTarget,
  file: fileTarget,
  'file, direct I/O': directFileTarget,
  lmdb: lmdbTarget,
  redis: redisTarget,
  s3: s3Target,
  mooncake: mooncakeTarget,
};
