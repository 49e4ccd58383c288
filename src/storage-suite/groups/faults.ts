import type { Cases } from '../case.ts';

export const faults: Cases = {};
