export const WRITE_POLICIES = ['write_through', 'write_through_selective', 'write_back'] as const;
/** When pages go from L1 to L2: when they are made, when they are used again, or when they leave L1. */
export type WritePolicy = (typeof WRITE_POLICIES)[number];

/** Uses after which a page is written (SGLang's `write_through_threshold`). */
const THRESHOLDS: Record<WritePolicy, number> = {
  write_through: 1,
  write_through_selective: 2,
  write_back: Number.POSITIVE_INFINITY,
};

export function writeThreshold(policy: WritePolicy): number {
  return THRESHOLDS[policy];
}

/** Whether what leaves L1 goes to L2, however often it was used. */
export function keepsEverything(policy: WritePolicy): boolean {
  return policy !== 'write_through_selective';
}
