import type { BenchReport } from '../../src/bench/report.ts';
import type { Peer } from './peer.ts';

/** One call of `tierkv bench`: a workload on all servers, which have their turns in every round. */
export interface Call {
  workload: string;
  options: readonly string[];
  peers: readonly Peer[];
}

/** What is measured and written by itself. */
export interface Part {
  calls: readonly Call[];
  /** Unless another number is asked for. */
  rounds: number;
  /** Tables of markdown, from the reports of the calls in their order. */
  show(reports: readonly BenchReport[]): string;
}
