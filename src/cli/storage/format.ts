import type { Usage } from '../../storage/driver.ts';

export const PLAIN = { head: [], border: [] };

/** A number of bytes for people, in powers of 1000. */
export function amount(bytes: number | null): string {
  if (bytes === null) return 'unknown';
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

export function usageText({ usedBytes, quotaBytes }: Usage): string {
  return quotaBytes === undefined ? amount(usedBytes) : `${amount(usedBytes)} of ${amount(quotaBytes)}`;
}

export function speed(bytes: number, milliseconds: number): string {
  return `${(bytes / 1000 / Math.max(milliseconds, 1)).toFixed(1)} MB/s`;
}

export function duration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}

/** Counts by their names, such as `length 1, checksum 2`. */
export function counts(named: Readonly<Record<string, number>>): string {
  return Object.entries(named)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}
