import type { Distribution } from './report.ts';

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const [low, high] = [sorted[Math.floor(middle)], sorted[Math.ceil(middle)]];
  return low === undefined || high === undefined ? Number.NaN : (low + high) / 2;
}

/** The value that this share of them do not exceed, such as 0.99. */
export function percentile(values: readonly number[], share: number): number {
  return ofSorted(Float64Array.from(values).sort(), share);
}

function ofSorted(sorted: Float64Array, share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** Where the true median lies with a probability of about 95 %, whatever the distribution of the values. */
export function medianInterval(values: readonly number[]): [number, number] {
  const sorted = values.toSorted((a, b) => a - b);
  const [middle, reach] = [(sorted.length - 1) / 2, 0.98 * Math.sqrt(sorted.length)];
  const at = (index: number) => sorted[Math.min(Math.max(index, 0), sorted.length - 1)] ?? Number.NaN;
  return [at(Math.floor(middle - reach)), at(Math.ceil(middle + reach))];
}

/** Null where there is no value. */
export function distribution(values: readonly number[]): Distribution {
  if (values.length === 0) return null;
  const sorted = Float64Array.from(values).sort();
  const at = (share: number) => rounded(ofSorted(sorted, share), 3);
  const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length;
  return { mean: rounded(mean, 3), p50: at(0.5), p90: at(0.9), p99: at(0.99) };
}

export function rounded(value: number, digits = 1): number {
  return Number(value.toFixed(digits));
}
