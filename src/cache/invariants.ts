import { pageKeys } from '../shared/page-keys.ts';
import type { DeviceCells, DeviceTier } from './device-tier.ts';
import type { HostTier } from './host-tier.ts';
import type { Lease } from './lease.ts';
import type { Node } from './node.ts';
import { nodesBelow, type RadixTree } from './radix-tree.ts';

export interface Tiers {
  tree: RadixTree;
  device: DeviceTier;
  cells: DeviceCells;
  host: HostTier | undefined;
}

/**
 * Throws when the tree, the tiers and the engine do not agree with each other: after every operation all of this holds.
 * Looks at everything, so it is for tests and for the debug mode.
 *
 * @param running the leases of requests that run
 */
export function checkInvariants(tiers: Tiers, running: ReadonlySet<Lease>): void {
  const { tree, device, host } = tiers;
  const slots = new Set<number>();
  let evictable = 0;
  const leaves = new Set<Node>();
  for (const [seed, root] of tree.roots) {
    expect(root.isRoot && root.onDevice && !root.onHost && root.holder < 0, root, 'is a root');
    expect(root.locks > 0 || !nodesBelow(root).next().done, root, 'is a root of something');
    checkChildren(root);
    for (const node of nodesBelow(root)) {
      checkNode(node, seed, tree.pageSize);
      checkChildren(node);
      if (node.onDevice && node.locks === 0) evictable += node.tokens.length;
      if (node.isDeviceLeaf) leaves.add(node);
      for (const slot of node.slots ?? []) {
        expect(!slots.has(slot), node, 'shares no slot');
        expect((host?.pool.holders(slot) ?? 0) > 0, node, 'holds its slots');
        slots.add(slot);
      }
      if (node.isDeviceLeaf && node.locks === 0)
        expect(tree.deviceQueue.has(node), node, 'may leave the device');
      if (node.isHostLeaf && !node.onDevice && node.locks === 0)
        expect(tree.hostQueue.has(node), node, 'may leave the host');
      if (node.isHostLeaf && node.onDevice)
        expect(tree.copyQueue.has(node), node, 'may leave the host, as the device has it');
    }
  }
  equal(tree.evictableTokens, evictable, 'evictable tokens');
  equal(tree.hostPages, slots.size, 'pages on the host');
  equal(device.leaves.size, leaves.size, 'leaves on the device');
  for (const [sequence, leaf] of device.leaves) checkHolder(tiers, sequence, leaf, leaves);
  checkCells(tiers, running);
  if (host) equal(host.pool.free <= host.pool.capacity - slots.size, true, 'slots of the tree are in use');
}

/** Keys and tokens of a node are replaced together, never changed. */
const hashedBefore = new WeakSet<string[]>();

function checkNode(node: Node, seed: string, pageSize: number): void {
  const { parent, tokens, keys } = node;
  if (!parent) throw new Error('Only a root has no parent.');
  equal(node.start, parent.end, 'a node begins where its parent ends');
  expect(node.onDevice || node.onHost, node, 'is on some tier');
  expect(!node.onDevice || parent.onDevice, node, 'has its parent on the device');
  expect(!node.onHost || parent.isRoot || parent.onHost, node, 'has its parent on the host');
  expect(parent.locks >= node.locks, node, 'has a parent that is locked with it');
  expect(node.isDeviceLeaf === node.holder >= 0, node, 'is held if it is a leaf, and only then');
  if (node.isTail) {
    expect(tokens.length > 0 && tokens.length < pageSize, node, 'is less than a page');
    expect(node.children.size + node.tails.size === 0 && parent.tails.has(node), node, 'is a tail');
    expect(!node.slots || (node.slots.length === 1 && node.end >= pageSize), node, 'has one slot');
    return;
  }
  expect(tokens.length === keys.length * pageSize && !parent.isTail, node, 'is made of whole pages');
  expect(parent.children.get(keys[0] ?? '') === node, node, 'is found under its key');
  if (!hashedBefore.has(keys)) {
    const hashed = pageKeys(parent.keys.at(-1) ?? seed, tokens, pageSize);
    expect(
      hashed.every((key, i) => key === keys[i]),
      node,
      'has the keys of its tokens',
    );
    hashedBefore.add(keys);
  }
  expect(!node.slots || node.slots.length === keys.length, node, 'has one slot per page');
}

function checkChildren(node: Node): void {
  let [host, locks] = [0, 0];
  const onDevice = new Set<Node>();
  for (const child of [...node.children.values(), ...node.tails]) {
    expect(child.parent === node, child, 'knows its parent');
    if (child.onDevice) onDevice.add(child);
    if (child.onHost) host++;
    locks += child.locks;
  }
  equal(node.hostChildren, host, 'children on the host');
  equal(node.deviceChildren.size, onDevice.size, 'children on the device');
  expect(
    [...onDevice].every((child) => node.deviceChildren.has(child)),
    node,
    'knows its children',
  );
  expect(node.locks >= locks, node, 'is locked as often as its children');
}

function checkHolder({ cells, device }: Tiers, sequence: number, leaf: Node, leaves: Set<Node>): void {
  expect(leaf.holder === sequence && leaves.has(leaf), leaf, `is the leaf of sequence ${sequence}`);
  const held = cells.sequenceLength(sequence);
  const right = device.isRunning(sequence) ? held >= leaf.end : held === leaf.end;
  expect(right, leaf, `is what sequence ${sequence} holds (${held} positions)`);
}

/**
 * Every cell in use is of a cached way or of a running request. Ways share the cells of what they have in common; tokens
 * behind the last common page may share theirs, too, so cells are counted and not tokens.
 */
function checkCells({ cells, device }: Tiers, running: ReadonlySet<Lease>): void {
  const isOwned = new Uint8Array(cells.limits.cells);
  let owned = 0;
  const own = (way: Int32Array, from: number, to: number) => {
    for (let i = from; i < to; i++) {
      const cell = way[i] ?? -1;
      if (isOwned[cell] !== 0) continue;
      isOwned[cell] = 1;
      owned++;
    }
  };
  const ways = new Map<Node, Int32Array>();
  for (const [sequence, leaf] of device.leaves) {
    const way = cells.sequenceCells(sequence);
    let node: Node | undefined = leaf;
    for (; node && !ways.has(node); node = node.parent) {
      ways.set(node, way);
      own(way, node.start, node.end);
    }
    const other = node && ways.get(node);
    if (node && other) expect(areEqual(way, other, node.end), node, 'has the same cells in every way');
  }
  for (const { sequence } of running) {
    equal(device.isRunning(sequence), true, `sequences of requests (${sequence}) in use`);
    const way = cells.sequenceCells(sequence);
    own(way, 0, way.length);
  }
  equal(device.runningSequences, running.size, 'running requests');
  for (let sequence = 0; sequence < cells.limits.sequences; sequence++) {
    if (!device.isRunning(sequence) && !device.leaves.has(sequence))
      equal(cells.sequenceLength(sequence), 0, `positions of sequence ${sequence}, which nobody uses,`);
  }
  equal(cells.cellsInUse, owned, 'cells that somebody owns');
}

function areEqual(one: Int32Array, other: Int32Array, length: number): boolean {
  for (let i = 0; i < length; i++) if (one[i] !== other[i]) return false;
  return true;
}

function expect(holds: boolean, { start, end, onDevice, onHost }: Node, what: string): void {
  if (holds) return;
  const where = `${onDevice ? 'device' : ''} ${onHost ? 'host' : ''}`.trim();
  throw new Error(`Cache invariant: the node of tokens ${start} to ${end} (${where}) ${what}.`);
}

function equal(counted: unknown, found: unknown, what: string): void {
  if (counted !== found) throw new Error(`Cache invariant: ${what} are ${found}, counted as ${counted}.`);
}
