import type { BenchReport, ServerSummary } from '../../src/bench/report.ts';
import type { Peer } from './peer.ts';

/** One call of `tierkv bench`: a workload on all servers, which have their turns in every round. */
export interface Call {
  workload: string;
  options: readonly string[];
  peers: readonly Peer[];
}

/** A figure that the table of all parts shows. */
export interface Headline {
  what: string;
  of: (server: ServerSummary, report: BenchReport) => number | undefined;
  better: 'more' | 'less';
  /** Of the report of which call; the first one when left out. */
  call?: number;
}

/** What is measured and written by itself. */
export interface Part {
  calls: readonly Call[];
  /** Unless another number is asked for. */
  rounds: number;
  headlines: readonly Headline[];
  /** Tables of markdown, from the reports of the calls in their order. */
  show(reports: readonly BenchReport[]): string;
}
