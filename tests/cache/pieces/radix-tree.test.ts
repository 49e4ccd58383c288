import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Node } from '../../../src/cache/node.ts';
import { Prefix } from '../../../src/cache/prefix.ts';
import { nodesBelow, RadixTree } from '../../../src/cache/radix-tree.ts';

const PAGE = 2;

function prefix(tokens: readonly number[], seed = ''): Prefix {
  return new Prefix(Int32Array.from(tokens), seed, PAGE);
}

/** Adds the whole pages of a prompt to the host, in slots that do not matter. */
function insert(tree: RadixTree, tokens: readonly number[], seed = ''): Node | undefined {
  const wanted = prefix(tokens, seed);
  const found = tree.find(wanted);
  if (found.pages === wanted.pages) return undefined;
  const parent = tree.splitAt(found, wanted);
  const node = tree.add(parent, wanted, found.pages, wanted.pages);
  if (node) tree.putOnHost(node, new Int32Array(wanted.pages - found.pages));
  return node;
}

function drop(tree: RadixTree): void {
  for (let node = tree.hostQueue.pop(); node; node = tree.hostQueue.pop()) tree.takeOffHost(node);
}

const prompt = fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 12 });

describe('a radix tree', () => {
  it('finds the longest run of whole pages that any prompt before had, as a naive search does', () => {
    fc.assert(
      fc.property(fc.array(prompt, { maxLength: 12 }), prompt, (before, asked) => {
        const tree = new RadixTree(PAGE, 'lru');
        for (const tokens of before) insert(tree, tokens);
        const common = before.map((tokens) => {
          const end = tokens.findIndex((token, i) => token !== asked[i]);
          return Math.floor((end < 0 ? tokens.length : end) / PAGE);
        });
        expect(tree.find(prefix(asked)).pages).toBe(Math.max(0, ...common));
      }),
    );
  });

  it('holds no page twice, and every page of every prompt', () => {
    fc.assert(
      fc.property(fc.array(prompt, { maxLength: 12 }), (prompts) => {
        const tree = new RadixTree(PAGE, 'lru');
        for (const tokens of prompts) insert(tree, tokens);
        const keys = [...tree.roots].flatMap(([, root]) =>
          [...nodesBelow(root)].flatMap((node) => node.keys),
        );
        const wanted = new Set(prompts.flatMap((tokens) => prefix(tokens).keys(0, tokens.length >> 1)));
        expect(keys.toSorted()).toEqual([...wanted].sort());
        expect(tree.hostPages).toBe(wanted.size);
      }),
    );
  });

  it('looks no further than it is asked to', () => {
    const tree = new RadixTree(PAGE, 'lru');
    insert(tree, [1, 2, 3, 4, 5, 6]);
    expect(tree.find(prefix([1, 2, 3, 4, 5, 6]), 2).pages).toBe(2);
  });

  it('changes nothing when it finds', () => {
    const tree = new RadixTree(PAGE, 'lru');
    insert(tree, [1, 2, 3, 4]);
    tree.find(prefix([1, 2, 7, 7]));
    tree.find(prefix([1, 2, 3, 4], 'ab'.repeat(32)));
    expect([...tree.roots].map(([seed, root]) => [seed, [...nodesBelow(root)].length])).toEqual([['', 1]]);
  });

  it('splits a node so that who locked it goes on holding all of it', () => {
    const tree = new RadixTree(PAGE, 'lru');
    const node = insert(tree, [1, 2, 3, 4, 5, 6])!;
    tree.lock(node);
    const upper = tree.splitAbove(node, 1);
    expect([upper.locks, node.locks, upper.end, node.start, node.end]).toEqual([1, 1, 2, 2, 6]);
    expect(node.parent).toBe(upper);
    tree.unlock(node);
    expect([upper.locks, node.locks]).toEqual([0, 0]);
    drop(tree);
    expect(tree.hostPages).toBe(0);
  });

  it.each([0, 3, 4])('does not split a node of three pages after %i', (pages) => {
    const tree = new RadixTree(PAGE, 'lru');
    const node = insert(tree, [1, 2, 3, 4, 5, 6])!;
    expect(() => tree.splitAbove(node, pages)).toThrow(RangeError);
  });

  it('finds the tokens behind the last whole page on the device, the longest run of them', () => {
    const tree = new RadixTree(4, 'lru');
    const asked = new Prefix(Int32Array.from([1, 2, 3, 4, 5, 6, 7]), '', 4);
    const page = tree.add(tree.root(''), asked, 0, 1)!;
    tree.putOnDevice(page);
    const tails = [[5], [5, 6, 9], [9]].map((tokens) => {
      const tail = tree.addTail(page, Int32Array.from(tokens));
      tree.putOnDevice(tail);
      return tail;
    });
    expect(tree.findTokens(asked, tree.find(asked))).toEqual({ node: tails[1], tokens: 2 });
  });

  it('finds no tokens behind pages that only the host holds', () => {
    const tree = new RadixTree(PAGE, 'lru');
    insert(tree, [1, 2]);
    const asked = prefix([1, 2, 3]);
    expect(tree.findTokens(asked, tree.find(asked))).toBeUndefined();
  });

  it('counts evictable tokens as those on the device that nobody locks', () => {
    const tree = new RadixTree(PAGE, 'lru');
    const node = insert(tree, [1, 2, 3, 4])!;
    tree.putOnDevice(node);
    expect(tree.evictableTokens).toBe(4);
    tree.lock(node);
    tree.lock(node);
    tree.unlock(node);
    expect(tree.evictableTokens).toBe(0);
    tree.unlock(node);
    expect(tree.evictableTokens).toBe(4);
    expect(() => tree.unlock(node)).toThrow('unlocked more often');
  });

  it('evicts no node that is locked, and no parent before its children', () => {
    const tree = new RadixTree(PAGE, 'lru');
    const upper = insert(tree, [1, 2])!;
    const lower = insert(tree, [1, 2, 3, 4])!;
    const other = insert(tree, [1, 2, 5, 6])!;
    tree.lock(lower);
    expect(tree.hostQueue.pop()).toBe(other);
    tree.takeOffHost(other);
    expect(tree.hostQueue.pop()).toBeUndefined();
    tree.unlock(lower);
    tree.takeOffHost(tree.hostQueue.pop()!);
    expect(tree.hostQueue.pop()).toBe(upper);
  });

  it('keeps no memory of namespaces whose pages have left', () => {
    const tree = new RadixTree(PAGE, 'lru');
    for (let i = 0; i < 1000; i++) {
      insert(tree, [1, 2, 3, 4], i.toString(16).padStart(64, '0'));
      drop(tree);
    }
    expect([...tree.roots]).toEqual([]);
    expect([tree.hostQueue.size, tree.deviceQueue.size].every((size) => size < 200)).toBe(true);
  });

  it('keeps no memory of a namespace that was only looked at and locked', () => {
    const tree = new RadixTree(PAGE, 'lru');
    const asked = prefix([1, 2], 'ab'.repeat(32));
    const root = tree.splitAt(tree.find(asked), asked);
    tree.lock(root);
    expect([...tree.roots]).toHaveLength(1);
    tree.unlock(root);
    expect([...tree.roots]).toEqual([]);
  });

  it('refuses pages on the host behind pages that are not', () => {
    const tree = new RadixTree(PAGE, 'lru');
    const asked = prefix([1, 2, 3, 4]);
    const upper = tree.add(tree.root(''), asked, 0, 1)!;
    tree.putOnDevice(upper);
    const lower = tree.add(upper, asked, 1, 2)!;
    expect(() => tree.putOnHost(lower, new Int32Array(1))).toThrow('from the root on');
  });
});
