import type { SamplingParams } from './engine.ts';

/** Always the likeliest token, changed by nothing: one token long unless said otherwise. */
export const GREEDY: Readonly<SamplingParams> = {
  logitBias: [],
  stopTokens: [],
  minTokens: 0,
  maxTokens: 1,
  repetitionPenalty: 1,
  frequencyPenalty: 0,
  presencePenalty: 0,
  temperature: 0,
  topK: 0,
  topP: 1,
  minP: 0,
  seed: 0,
};
