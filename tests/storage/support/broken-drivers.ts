import { BROKEN_ANSWERS } from './broken/answers.ts';
import { BROKEN_BUFFERS } from './broken/buffers.ts';
import { BROKEN_LIVES } from './broken/life.ts';
import type { Broken } from './broken/making.ts';

export type { Broken };

export const BROKEN: Record<string, Broken> = { ...BROKEN_BUFFERS, ...BROKEN_ANSWERS, ...BROKEN_LIVES };
