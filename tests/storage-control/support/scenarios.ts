import { expect } from 'vitest';
import type { OperationMode, StorageRequest } from '../../../src/shared/storage-messages.ts';
import type { OperationReport } from '../../../src/tokenizer-manager/storage/operation.ts';
import { attachTo, Cluster } from './cluster.ts';
import type { OpenTrouble } from './shared-store.ts';
import { FAULTS, type Fault } from './simulated-rank.ts';

const RANKS = 3;
/** Of an operation here, in milliseconds. */
const TIMEOUT_MS = 10_000;

/** Operations by name: what is attached before and after, and how it is asked for. */
const OPERATIONS: Record<
  string,
  {
    before: 'a' | null;
    after: 'a' | 'b' | null;
    run: (cluster: Cluster, mode: OperationMode) => Promise<OperationReport>;
  }
> = {
  attach: {
    before: null,
    after: 'a',
    run: ({ coordinator, order }, mode) => coordinator.attach(attachTo('a'), order(mode, TIMEOUT_MS)),
  },
  detach: {
    before: 'a',
    after: null,
    run: ({ coordinator, order }, mode) => coordinator.detach(order(mode, TIMEOUT_MS)),
  },
  switch: {
    before: 'a',
    after: 'b',
    run: ({ coordinator, order }, mode) =>
      coordinator.attach(attachTo('b', { replace: true, readThrough: 2 }), order(mode, TIMEOUT_MS)),
  },
};

/** Messages of an operation, in order. */
function stepsOf(mode: OperationMode): StorageRequest['kind'][] {
  return mode === 'drain' ? ['prepare', 'hold', 'commit', 'settle'] : ['prepare', 'commit', 'settle'];
}

export interface Scenario {
  operation: string;
  mode: OperationMode;
  rank: number;
  /** What goes wrong: a message, every time it is sent or only the first, or the store of that rank. */
  trouble: { step: StorageRequest['kind']; fault: Fault; every: boolean } | { open: OpenTrouble };
}

export const MESSAGE_SCENARIOS: readonly Scenario[] = Object.keys(OPERATIONS).flatMap((operation) =>
  (['idle', 'drain', 'live'] as const).flatMap((mode) =>
    stepsOf(mode).flatMap((step) =>
      FAULTS.flatMap((fault) =>
        [false, true].flatMap((every) =>
          Array.from({ length: RANKS }, (_, rank) => ({
            operation,
            mode,
            rank,
            trouble: { step, fault, every },
          })),
        ),
      ),
    ),
  ),
);

export const STORE_SCENARIOS: readonly Scenario[] = ['attach', 'switch'].flatMap((operation) =>
  (['idle', 'drain', 'live'] as const).flatMap((mode) =>
    (['refused', 'hangs', 1000, 60_000] as const).flatMap((open) =>
      Array.from({ length: RANKS }, (_, rank) => ({ operation, mode, rank, trouble: { open } })),
    ),
  ),
);

/**
 * Plays one scenario, and expects: the operation answers within its time; afterwards all ranks have the new state or all
 * have the old one, by what it answered; every rank serves right answers in that state, also from the storage; the next
 * operation succeeds; and nothing is left open or held.
 */
export async function play({ operation, mode, rank, trouble }: Scenario): Promise<'ok' | string> {
  const { before, after, run } = OPERATIONS[operation]!;
  const cluster = await Cluster.started(RANKS);
  const { coordinator, stores, ranks } = cluster;
  if (before) {
    expect(await cluster.outcome(coordinator.attach(attachTo(before), cluster.order()))).toBe('ok');
    await cluster.serve('abcd');
    for (const { simulation } of ranks) expect(simulation.scheduler.flush()).toBe(true);
  }
  const old = await cluster.attached();

  const bad = ranks[rank]!;
  let times = 0;
  if ('open' in trouble) for (const store of Object.values(stores)) store.trouble.set(rank, trouble.open);
  else
    bad.fault = ({ kind }) =>
      kind === trouble.step && (trouble.every || times++ === 0) ? trouble.fault : undefined;
  const { outcome, milliseconds } = await cluster.timed(run(cluster, mode));
  expect(milliseconds, 'milliseconds').toBeLessThanOrEqual(TIMEOUT_MS);
  if (outcome !== 'ok') {
    const { ranks: said } = cluster.records.at(-1)!;
    expect(said.find(({ rank: index }) => index === rank)?.ok, 'what is said of the rank').toBe(false);
  }

  bad.fault = () => undefined;
  for (const store of Object.values(stores)) store.heal();
  await cluster.settle();
  const now = await cluster.attached();
  if (outcome === 'ok') expect(now).toEqual(now.map(() => expect.stringContaining(after ?? 'detached')));
  else expect(now).toEqual(old);
  expect(new Set(now).size, `ranks that agree: ${now}`).toBe(1);

  // Another prefix than what a rank that was started again may have lost.
  const attached = outcome === 'ok' ? after : before;
  await cluster.serve('wxyz');
  for (const { simulation } of ranks) expect(simulation.scheduler.flush()).toBe(true);
  expect(await cluster.serve('wxyz')).toEqual(ranks.map(() => (attached ? 15 : 0)));
  const next = attached
    ? coordinator.detach(cluster.order())
    : coordinator.attach(attachTo('b'), cluster.order());
  expect(await cluster.outcome(next), 'the next operation').toBe('ok');
  await cluster.expectSound();
  return outcome;
}

export function nameOf({ operation, mode, rank, trouble }: Scenario): string {
  const what =
    'open' in trouble
      ? `its store ${typeof trouble.open === 'number' ? `takes ${trouble.open} ms to open` : trouble.open}`
      : `${trouble.step} ${trouble.fault}${trouble.every ? ' every time' : ''}`;
  return `${operation} (${mode}), rank ${rank}: ${what}`;
}
