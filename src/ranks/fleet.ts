import type { MetricSnapshot, RankReport } from '../shared/messages.ts';
import { Rank, type RankInfo, type RankOptions } from './rank.ts';

export type RankStatus = {
  rank: number;
  pid: number | undefined;
  state: Rank['state'];
  restarts: number;
  report: RankReport | undefined;
};

/** All ranks of one server. */
export class Fleet {
  readonly ranks: readonly Rank[];

  constructor(size: number, options: RankOptions) {
    // Every rank loads the same file; the first one tells for all.
    this.ranks = Array.from(
      { length: size },
      (_, index) => new Rank(index, index === 0 ? options : { ...options, onProgress: undefined }),
    );
  }

  /** Starts all ranks; when one cannot serve, none is left and the reason is thrown. */
  async start(): Promise<RankInfo> {
    try {
      const [info] = await Promise.all(this.ranks.map((rank) => rank.start()));
      if (!info) throw new RangeError('A server needs at least one rank.');
      return info;
    } catch (error) {
      await this.stop(0);
      throw error;
    }
  }

  /** Asks every rank what it holds; a rank that does not answer has no report. */
  async inspect(): Promise<RankStatus[]> {
    return Promise.all(
      this.ranks.map(async (rank) => ({
        rank: rank.index,
        pid: rank.pid,
        state: rank.state,
        restarts: rank.restarts,
        report: await rank.inspect().catch(() => undefined),
      })),
    );
  }

  /** The metrics of every rank that answers. */
  async scrape(): Promise<MetricSnapshot[][]> {
    return Promise.all(this.ranks.map((rank) => rank.scrape().catch(() => [])));
  }

  /** Drops what the ranks hold in L1 and L2; the numbers of those that are not idle. Rejects when one does not answer. */
  async flush(): Promise<number[]> {
    const done = await Promise.all(this.ranks.map((rank) => rank.flush()));
    return this.ranks.filter((_, i) => !done[i]).map((rank) => rank.index);
  }

  async stop(graceMs: number): Promise<void> {
    await Promise.all(this.ranks.map((rank) => rank.stop(graceMs)));
  }
}
