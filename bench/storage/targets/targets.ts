import type { Target } from '../target.ts';
import { fileTarget } from './file.ts';
import { memoryTarget } from './memory.ts';

/** Every backend that can be measured here; a text says why one cannot. */
export const TARGETS: Record<string, () => Promise<Target | string>> = {
  memory: memoryTarget,
  file: fileTarget,
};
