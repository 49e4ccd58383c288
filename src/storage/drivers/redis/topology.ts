import { hash } from 'node:crypto';
import { nameOf } from './connect-problems.ts';
import type { Address } from './settings.ts';
import { SLOTS, type SlotRange } from './slots.ts';

/** Which master serves which slots, as the cluster said last. */
export class Topology {
  /** A text that is another one as soon as slots belong together in another way; masters that took over are the same. */
  readonly layout: string;
  /** The first slot of each master, in their order: by it a master is known, whoever it is now. */
  readonly firstSlots: readonly number[];
  readonly #owners: (Address | undefined)[] = new Array(SLOTS).fill(undefined);

  constructor(ranges: readonly SlotRange[]) {
    const firstOf = new Map<string, number>();
    const parts: string[] = [];
    for (const { first, last, host, port } of ranges) {
      const address = { host, port };
      this.#owners.fill(address, first, last + 1);
      const name = nameOf(address);
      if (!firstOf.has(name)) firstOf.set(name, first);
      parts.push(`${first}-${last}-${firstOf.get(name)}`);
    }
    this.firstSlots = [...firstOf.values()];
    this.layout = hash('sha256', parts.join(' ')).slice(0, 8);
  }

  get masters(): Address[] {
    return this.firstSlots.flatMap((slot) => this.#owners[slot] ?? []);
  }

  ownerOf(slot: number): Address | undefined {
    return this.#owners[slot];
  }

  /** What a node said of one slot, until the cluster is asked again. */
  move(slot: number, owner: Address): void {
    this.#owners[slot] = owner;
  }
}
