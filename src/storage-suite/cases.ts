import type { Cases, SuiteCase } from './case.ts';
import { abort } from './groups/abort.ts';
import { basic } from './groups/basic.ts';
import { batch } from './groups/batch.ts';
import { buffers } from './groups/buffers.ts';
import { clear } from './groups/clear.ts';
import { concurrency } from './groups/concurrency.ts';
import { faults } from './groups/faults.ts';
import { keys } from './groups/keys.ts';
import { largeValues } from './groups/large-values.ts';
import { lifecycle } from './groups/lifecycle.ts';
import { list } from './groups/list.ts';
import { overwrite } from './groups/overwrite.ts';
import { ttl } from './groups/ttl.ts';
import { GROUPS, type GroupName, type SuiteOptions, whySkipped } from './options.ts';

const CASES: Record<GroupName, Cases> = {
  basic,
  batch,
  'large values': largeValues,
  keys,
  overwrite,
  concurrency,
  list,
  clear,
  ttl,
  lifecycle,
  abort,
  buffers,
  faults,
};

/** Every case for a driver, in order. Of a group that the options skip there is one, which says so. */
export function casesFor(options: SuiteOptions): SuiteCase[] {
  return GROUPS.flatMap((group) => {
    const reason = whySkipped(group, options);
    if (reason !== undefined)
      return [{ group, name: 'all of it', run: async (stores) => stores.skip(reason) } satisfies SuiteCase];
    return Object.entries(CASES[group]).map(([name, run]) => ({ group, name, run }));
  });
}
