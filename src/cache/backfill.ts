import type { Backups } from '../controller/backups.ts';
import type { Node } from './node.ts';
import { nodesBelow, type RadixTree } from './radix-tree.ts';

/** Pages that are handed on at a time: what they hold of L2 is little. */
const PORTION = 64;

/**
 * Writes what L2 holds already to a backend that was just attached: in the background, a few pages at a time, and no
 * further once one of them cannot be written.
 */
export class Backfill {
  readonly #tree: RadixTree;
  readonly #backups: Backups;
  readonly #knows: (key: string) => boolean;
  #left: Iterator<Node> | undefined;
  #added = 0;

  /**
   * @param backups of its own; {@link next} is to be called whenever they are done
   * @param knows whether a page is stored already
   */
  constructor(tree: RadixTree, backups: Backups, knows: (key: string) => boolean) {
    this.#tree = tree;
    this.#backups = backups;
    this.#knows = knows;
    this.#left = nodesOf(tree);
  }

  /** Whether there may be more to write. */
  get running(): boolean {
    return this.#left !== undefined;
  }

  /** Hands on as much as there is room for. Changes nothing in the tree. */
  next(): void {
    if (this.#backups.failed > 0) this.#left = undefined;
    let room = Math.min(PORTION, this.#backups.room);
    while (this.#left && room > 0) {
      const { value: node, done } = this.#left.next();
      if (!done) room -= this.#add(node, room);
      // The tree goes on changing, so one walk may miss what was split meanwhile: the last one finds nothing.
      else this.#left = this.#added > 0 ? nodesOf(this.#tree) : undefined;
      if (done) this.#added = 0;
    }
  }

  stop(): void {
    this.#left = undefined;
    this.#backups.stop();
  }

  /** Returns how many pages were taken. Those of a node that is longer than the room are found by the next walk. */
  #add({ keys, slots }: Node, room: number): number {
    // What has left L2 since the walk came to its parent has no slots.
    if (!slots) return 0;
    const some = keys.flatMap((key, i) => (this.#knows(key) ? [] : [i])).slice(0, room);
    const before = this.#backups.room;
    this.#backups.add(
      some.map((i) => keys[i]!),
      Int32Array.from(some, (i) => slots[i]!),
    );
    const taken = before - this.#backups.room;
    this.#added += taken;
    return taken;
  }
}

function* nodesOf(tree: RadixTree): Generator<Node> {
  for (const [, root] of [...tree.roots]) yield* nodesBelow(root);
}
