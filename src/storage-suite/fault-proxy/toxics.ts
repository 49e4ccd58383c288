/**
 * What can be done to a connection: the toxics of Shopify’s toxiproxy, with its names, attributes and meaning
 * (https://github.com/Shopify/toxiproxy#toxics), and `garbage`, which it does not have.
 */
export interface ToxicAttributes {
  /** Delays all data by `latency` ± `jitter` milliseconds; its order stays. */
  latency: { latency: number; jitter?: number };
  /** Lets `rate` kilobytes (of 1000 bytes) per second through. */
  bandwidth: { rate: number };
  /** Delays the end of the stream by `delay` milliseconds. */
  slow_close: { delay: number };
  /**
   * Drops all data, and closes the connection after `timeout` milliseconds, or never where that is 0. A connection that
   * has lost data is closed when the toxic is removed: no TCP stream goes on with a hole in it.
   */
  timeout: { timeout: number };
  /** Resets the connection (RST) `timeout` milliseconds after data has come. */
  reset_peer: { timeout: number };
  /**
   * Passes data on in pieces of about `average_size` bytes, up to `size_variation` more or fewer, with `delay`
   * microseconds after each.
   */
  slicer: { average_size: number; size_variation?: number; delay?: number };
  /** Closes the connection after `bytes` bytes, which are passed on. */
  limit_data: { bytes: number };
  /**
   * Changes bytes, each with the probability `share`, 1 where that is absent. A connection with changed bytes is closed
   * when the toxic is removed.
   */
  garbage: { share?: number };
}

export type ToxicType = keyof ToxicAttributes;

/** `upstream` is from the client to the server, `downstream` the way back. */
export type Stream = 'upstream' | 'downstream';

interface Of<T extends ToxicType> {
  /** `<type>_<stream>` where it is absent. */
  name?: string;
  type: T;
  /** `downstream` where it is absent. */
  stream?: Stream;
  /** The probability that a connection is affected, decided once for each. 1 where it is absent. */
  toxicity?: number;
  attributes: ToxicAttributes[T];
}

export type Toxic = { [T in ToxicType]: Of<T> }[ToxicType];

/** Numbers of each toxic that must be there and more than 0, and those that are at least 0. */
const NUMBERS: Record<ToxicType, { positive?: string[]; others?: string[] }> = {
  latency: { others: ['latency', 'jitter'] },
  bandwidth: { positive: ['rate'] },
  slow_close: { others: ['delay'] },
  timeout: { others: ['timeout'] },
  reset_peer: { others: ['timeout'] },
  slicer: { positive: ['average_size'], others: ['size_variation', 'delay'] },
  limit_data: { others: ['bytes'] },
  garbage: { others: ['share'] },
};

/** Throws RangeError for a toxic that cannot be. */
export function checkToxic({ type, attributes, toxicity = 1 }: Toxic): void {
  const numbers = Object.hasOwn(NUMBERS, type) ? NUMBERS[type] : undefined;
  if (!numbers) throw new RangeError(`There is no toxic '${type}'.`);
  const { positive = [], others = [] } = numbers;
  for (const [name, value] of Object.entries(attributes)) {
    if (![...positive, ...others].includes(name)) throw new RangeError(`${type} has no attribute '${name}'.`);
    if (!Number.isFinite(value) || value < 0)
      throw new RangeError(`'${name}' of ${type} must be a number that is not negative.`);
  }
  for (const name of positive)
    if (!((attributes as Record<string, number>)[name]! > 0))
      throw new RangeError(`'${name}' of ${type} must be more than 0.`);
  if (!(toxicity >= 0 && toxicity <= 1)) throw new RangeError('toxicity must be between 0 and 1.');
}
