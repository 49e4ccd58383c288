import type { Random } from '../models/random.ts';

/** An answer, and what its conversation goes on from. */
export interface Reply {
  /** The prompt with the answer. */
  history: number[];
  /** Milliseconds; undefined where no token came. */
  firstToken: number | undefined;
}

export interface Question {
  prompt: readonly number[];
  /** Tokens of the answer. */
  output: number;
}

/** Where requests of one part of a workload are counted. */
export interface Part {
  /** Undefined when it failed, which is counted. Rejects only when the whole run ends. */
  ask(question: Question): Promise<Reply | undefined>;
}

/** What a workload has to do with: one server, and where it is measured. */
export interface Bench {
  /** Aborts when the run ends early. */
  readonly signal: AbortSignal;
  /** The same for the same name, in every run with this seed. */
  random(name: string): Random;
  /** So many tokens of text, others for every name; the same in every run with this seed. */
  text(name: string, tokens: number): number[];
  /**
   * Requests that are counted under this name; the same one for the same name.
   *
   * @param decoding whether its output tokens a second count from when all answers have begun
   */
  part(name: string, decoding?: boolean): Part;
  /** Says how many requests there will be, for the progress. */
  expect(requests: number): void;
  /** Notes a figure besides. */
  found(name: string, value: number): void;
  /** Ends the server in order and starts it again; undefined where it is not ours. */
  readonly restart: (() => Promise<void>) | undefined;
}

/** One kind of load. */
export interface Workload<Options> {
  name: string;
  /** For its help. */
  about: string;
  /** Whether it can do without restarting the server. */
  needsRestart?: true;
  run(bench: Bench, options: Options): Promise<void>;
}
