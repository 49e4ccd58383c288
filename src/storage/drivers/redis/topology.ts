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
  /** Apart, since a listing takes each master by one of its slots, and would leave out the rest of what it has. */
  readonly #moved = new Map<number, Address>();

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
    return this.firstSlots.flatMap((slot) => this.masterOf(slot) ?? []);
  }

  /** Who has the slot, as far as anybody said. */
  ownerOf(slot: number): Address | undefined {
    return this.#moved.get(slot) ?? this.masterOf(slot);
  }

  /** Who had it when the cluster said who has what. */
  masterOf(slot: number): Address | undefined {
    return this.#owners[slot];
  }

  /** What a node said of one slot, until the cluster is asked again. */
  move(slot: number, owner: Address): void {
    this.#moved.set(slot, owner);
  }
}
