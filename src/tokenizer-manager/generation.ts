import type { SamplingParams } from '../engine/engine.ts';
import type { Failure } from '../shared/errors.ts';
import type { Namespace } from '../shared/page-keys.ts';
import type { Answer } from './answer.ts';

/** What a client wants generated, with the differences between the APIs already gone. */
export interface GenerationRequest {
  /** The name under which it can be aborted. */
  id: string;
  prompt: Int32Array;
  /** The request field that the prompt came from, for errors. */
  promptParam: string;
  /** Whose prefixes it can share; without one those of every request that has none. */
  namespace?: Namespace;
  /** How long what it computes is kept where the eviction policy asks for it: higher is longer. 0 by default. */
  priority?: number;
  /** How many answers; each draws with its own seed. */
  answers: number;
  /** `maxTokens` undefined: as many as the context allows. `seed` undefined: another one every time. */
  sampling: Omit<SamplingParams, 'maxTokens' | 'seed'> & {
    maxTokens: number | undefined;
    seed: number | undefined;
  };
  stopStrings: readonly string[];
  ignoreEndOfGeneration: boolean;
  /** GBNF that every answer follows. */
  grammar: string | undefined;
  topLogprobs: number | undefined;
  /** Whether control tokens are written out. */
  special: boolean;
  /** Whether the stop string or token stays in the text. */
  keepStop: boolean;
}

/** A request that was accepted: its answers, which are being generated now. */
export class Generation {
  readonly id: string;
  readonly answers: readonly Answer[];
  readonly promptTokens: number;
  /** The rank of each answer. */
  readonly ranks: readonly number[];

  constructor(id: string, promptTokens: number, answers: readonly Answer[], ranks: readonly number[]) {
    this.id = id;
    this.promptTokens = promptTokens;
    this.answers = answers;
    this.ranks = ranks;
  }

  /** Ends every answer with an error. */
  fail(failure: Failure): void {
    for (const answer of this.answers) answer.failed(failure);
  }

  /** Ends every answer where it is. */
  abort(): void {
    for (const answer of this.answers) answer.abort();
  }
}
