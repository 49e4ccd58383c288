import type { Reply } from './link.ts';

export const SLOTS = 16_384;

/** The slot of a key of a cluster: CRC-16/XMODEM of it. Braces, which would name a part of it, are in no key of ours. */
export function slotOf(key: string): number {
  let crc = 0;
  for (const byte of Buffer.from(key)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0);
    crc &= 0xffff;
  }
  return crc % SLOTS;
}

/** Slots, both ends included, and the master that serves them. */
export interface SlotRange {
  first: number;
  last: number;
  host: string;
  port: number;
}

/**
 * Reads the answer to CLUSTER SLOTS, in the order of slots.
 *
 * @param asked the host that answered: it is meant where a node does not know its own name
 */
export function readSlots(reply: Reply, asked: string): SlotRange[] {
  if (!Array.isArray(reply)) return [];
  const ranges = reply.flatMap((row) => {
    const [first, last, master] = Array.isArray(row) ? row : [];
    if (!Array.isArray(master)) return [];
    const [host, port] = master;
    // Of a node that has a host name to be used, and none was set.
    if (host === '?') return [];
    return [
      { first: Number(first), last: Number(last), host: host ? String(host) : asked, port: Number(port) },
    ];
  });
  return ranges.sort((a, b) => a.first - b.first);
}
