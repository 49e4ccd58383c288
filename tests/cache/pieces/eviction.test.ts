import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EVICTION_POLICIES, type EvictionPolicy, EvictionQueue } from '../../../src/cache/eviction.ts';
import { Node } from '../../../src/cache/node.ts';

const NODES = 6;

type Use =
  | { do: 'use'; which: number; priority: number }
  | { do: 'offer' | 'lock' | 'forget'; which: number }
  | { do: 'pop' };

const which = fc.nat(NODES - 1);
const use: fc.Arbitrary<Use> = fc.oneof(
  { arbitrary: fc.record({ do: fc.constant('use' as const), which, priority: fc.nat(3) }), weight: 4 },
  { arbitrary: fc.record({ do: fc.constantFrom('offer' as const, 'lock' as const), which }), weight: 3 },
  { arbitrary: fc.record({ do: fc.constant('forget' as const), which }), weight: 1 },
  { arbitrary: fc.constant<Use>({ do: 'pop' }), weight: 2 },
);

/** What goes first, by the words of the documentation. */
const BEFORE: Record<EvictionPolicy, (a: Node, b: Node) => number> = {
  lru: (a, b) => a.lastUse - b.lastUse,
  lfu: (a, b) => a.hits - b.hits || a.lastUse - b.lastUse,
  slru: (a, b) => Number(a.hits > 1) - Number(b.hits > 1) || a.lastUse - b.lastUse,
  priority: (a, b) => a.priority - b.priority || a.lastUse - b.lastUse,
};

describe.each(EVICTION_POLICIES)('eviction by %s', (policy) => {
  it('takes the nodes out in the order of a naive search, however they are used meanwhile', () => {
    fc.assert(
      fc.property(fc.array(use, { maxLength: 80, size: 'max' }), (uses) => {
        const nodes = Array.from({ length: NODES }, (_, i) => {
          const node = new Node(undefined, 0, new Int32Array(), []);
          node.lastUse = i + 1;
          return node;
        });
        const locked = new Set<Node>();
        const offered = new Set<Node>();
        const queue = new EvictionQueue(policy, (node) => !locked.has(node));
        let now = NODES;
        for (const step of uses) {
          const node = step.do === 'pop' ? undefined : nodes[step.which]!;
          if (step.do === 'use' && node) {
            node.lastUse = ++now;
            node.hits++;
            node.priority = Math.max(node.priority, step.priority);
          } else if (step.do === 'offer' && node) {
            locked.delete(node);
            queue.offer(node);
            offered.add(node);
          } else if (step.do === 'lock' && node) {
            locked.add(node);
          } else if (step.do === 'forget' && node) {
            // A node that has left the tree does not come back.
            queue.forget(node);
            offered.delete(node);
            nodes[step.which] = Object.assign(new Node(undefined, 0, new Int32Array(), []), {
              lastUse: ++now,
            });
          } else if (step.do === 'pop') {
            const first = [...offered].filter((other) => !locked.has(other)).sort(BEFORE[policy])[0];
            const popped = queue.pop();
            expect(popped).toBe(first);
            // What came up while it was locked waits to be offered again.
            for (const other of [...offered]) if (!queue.has(other)) offered.delete(other);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('an eviction queue', () => {
  it('does not grow with the nodes that have left', () => {
    const queue = new EvictionQueue('lru', () => true);
    let most = 0;
    for (let i = 0; i < 10_000; i++) {
      const node = new Node(undefined, 0, new Int32Array(), []);
      queue.offer(node);
      queue.forget(node);
      most = Math.max(most, queue.size);
    }
    expect(most).toBeLessThan(100);
  });

  it('does not grow when the same nodes are offered and used over and over', () => {
    const queue = new EvictionQueue('lfu', () => true);
    const nodes = Array.from({ length: 10 }, () => new Node(undefined, 0, new Int32Array(), []));
    for (let i = 0; i < 10_000; i++) {
      const node = nodes[i % 10]!;
      node.hits++;
      node.lastUse = i;
      queue.offer(node);
      if (i % 7 === 0) queue.offer(queue.pop()!);
    }
    expect(queue.size).toBeLessThanOrEqual(10);
  });
});
