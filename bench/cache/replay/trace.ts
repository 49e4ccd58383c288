import { readFile } from 'node:fs/promises';

/** Tokens that one id of a trace stands for. */
export const BLOCK = 512;

/** One request: ids of the blocks of its prompt, the last of which may be shorter. Equal ids are equal prefixes. */
export interface TraceRequest {
  promptTokens: number;
  answerTokens: number;
  blocks: Int32Array;
}

/**
 * Reads a trace: lines of Mooncake's form (`input_length`, `output_length`, `hash_ids`), or those of the sample beside
 * this file, `[prompt, answer, "first-last,…"]`, whose first line says where it comes from.
 */
export async function readTrace(file: string): Promise<TraceRequest[]> {
  const lines = (await readFile(file, 'utf8')).trim().split('\n');
  const requests: TraceRequest[] = [];
  for (const line of lines) {
    const value = JSON.parse(line) as MooncakeLine | SampleLine | { source: string };
    if (Array.isArray(value)) {
      const [promptTokens, answerTokens, runs] = value;
      requests.push({ promptTokens, answerTokens, blocks: Int32Array.from(expand(runs)) });
    } else if ('hash_ids' in value) {
      const { input_length, output_length, hash_ids } = value;
      const blocks = Int32Array.from(hash_ids);
      requests.push({ promptTokens: input_length, answerTokens: output_length, blocks });
    }
  }
  return requests;
}

interface MooncakeLine {
  input_length: number;
  output_length: number;
  hash_ids: number[];
}
type SampleLine = [promptTokens: number, answerTokens: number, runs: string];

function* expand(runs: string): Generator<number> {
  for (const run of runs.split(',')) {
    const [first = 0, last = first] = run.split('-').map(Number);
    for (let id = first; id <= last; id++) yield id;
  }
}

/** The prompt's tokens: those of a block differ from those of every other one. */
export function tokensOf({ promptTokens, blocks }: TraceRequest): Int32Array {
  const tokens = new Int32Array(promptTokens);
  for (let i = 0; i < promptTokens; i++) tokens[i] = blocks[Math.floor(i / BLOCK)]! * BLOCK + (i % BLOCK);
  return tokens;
}

/** Tokens of whole blocks, behind each other from the prompt's start, that came before: what no cache can beat. */
export function reusableTokens(requests: readonly TraceRequest[]): number {
  const seen = new Set<number>();
  let tokens = 0;
  for (const { blocks, promptTokens } of requests) {
    const whole = Math.floor(promptTokens / BLOCK);
    let known = 0;
    while (known < whole && seen.has(blocks[known]!)) known++;
    tokens += known * BLOCK;
    for (const block of blocks.subarray(0, whole)) seen.add(block);
  }
  return tokens;
}
