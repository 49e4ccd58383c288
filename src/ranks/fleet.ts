import type { ModelInfo } from '../engine/engine.ts';
import type { RankReport } from '../shared/messages.ts';
import { Rank, type RankOptions } from './rank.ts';

export type RankStatus = {
  rank: number;
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
  async start(): Promise<ModelInfo> {
    try {
      const [model] = await Promise.all(this.ranks.map((rank) => rank.start()));
      if (!model) throw new RangeError('A server needs at least one rank.');
      return model;
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
        state: rank.state,
        restarts: rank.restarts,
        report: await rank.inspect().catch(() => undefined),
      })),
    );
  }

  async stop(graceMs: number): Promise<void> {
    await Promise.all(this.ranks.map((rank) => rank.stop(graceMs)));
  }
}
