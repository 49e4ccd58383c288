import { namespaceOf } from './paths.ts';
import type { Scan } from './scan.ts';

interface Entry {
  bytes: number;
  /** When it was last read or written, in milliseconds since the epoch; the order of eviction. */
  usedAt: number;
  /** When its file was last known to be there. */
  seenAt: number;
}

/**
 * What is known of the pages of the namespaces in use, in the order of their last use. Files are truth: other servers
 * write and remove them too, and a scan brings this up to date.
 */
export class PageIndex {
  /** The least recently used first. */
  #entries = new Map<string, Entry>();
  #usedBytes = 0;
  /** Uses that the files do not tell yet. */
  #touched = new Map<string, number>();
  /** Removed since the scan that is running began; it may have seen them before. */
  #removed: Set<string> | undefined;
  #last = 0;
  readonly #now: () => number;

  /** @param now milliseconds since the epoch */
  constructor(now: () => number) {
    this.#now = now;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** The time, later at each call, so that an order by it has no ties. */
  tick(): number {
    this.#last = Math.max(this.#now(), this.#last + 0.001);
    return this.#last;
  }

  bytesOf(key: string): number | undefined {
    return this.#entries.get(key)?.bytes;
  }

  wasSeenSince(key: string, time: number): boolean {
    return (this.#entries.get(key)?.seenAt ?? Number.NEGATIVE_INFINITY) >= time;
  }

  /** Its file was written. */
  put(key: string, bytes: number): void {
    const now = this.tick();
    this.#forget(key);
    this.#removed?.delete(key);
    this.#entries.set(key, { bytes, usedAt: now, seenAt: now });
    this.#usedBytes += bytes;
  }

  /** Its file was used. One that is not known stays so: it may be gone again, and the next scan finds it. */
  touch(key: string): void {
    const now = this.tick();
    this.#touched.set(key, now);
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    this.#entries.set(key, { bytes: entry.bytes, usedAt: now, seenAt: now });
  }

  /** Its file was removed. */
  drop(key: string): void {
    this.#forget(key);
    this.#touched.delete(key);
    this.#removed?.add(key);
  }

  /** Its file was looked for and not found, unless it was written after the look began. */
  dropUnlessSeenSince(key: string, lookBegan: number): void {
    if (this.#entries.has(key) && !this.wasSeenSince(key, lookBegan)) this.drop(key);
  }

  #forget(key: string): void {
    this.#usedBytes -= this.#entries.get(key)?.bytes ?? 0;
    this.#entries.delete(key);
  }

  oldestFirst(): string[] {
    return [...this.#entries.keys()];
  }

  /** The uses that the files do not tell yet, for writing them there; the index forgets them. */
  takeTouched(): Map<string, number> {
    const touched = this.#touched;
    this.#touched = new Map();
    return touched;
  }

  get touchedCount(): number {
    return this.#touched.size;
  }

  scanBegins(): number {
    this.#removed = new Set();
    return this.tick();
  }

  /** Takes over what a scan found, beside what happened while it ran. */
  scanEnds(began: number, scan: Scan, namespaces: ReadonlySet<string>): void {
    const entries = [...this.#entries].filter(
      ([key, { seenAt }]) =>
        !namespaces.has(namespaceOf(key)) || seenAt > began || (!scan.complete && !scan.pages.has(key)),
    );
    const kept = new Set(entries.map(([key]) => key));
    for (const [key, { bytes, modified }] of scan.pages) {
      if (kept.has(key) || this.#removed?.has(key)) continue;
      const known = Math.max(this.#entries.get(key)?.usedAt ?? 0, this.#touched.get(key) ?? 0);
      // Files written within one tick of the system's clock have the same time, which can be later than ours by the
      // digits that ours does not have.
      const usedAt = Math.floor(modified) <= known ? known : modified;
      entries.push([key, { bytes, usedAt, seenAt: began }]);
    }
    entries.sort(([, a], [, b]) => a.usedAt - b.usedAt);
    this.#entries = new Map(entries);
    this.#usedBytes = entries.reduce((sum, [, { bytes }]) => sum + bytes, 0);
    this.#removed = undefined;
  }
}
