import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { failure } from '../../shared/errors.ts';

/** Tokens that one id of a trace stands for. */
export const BLOCK = 512;

/** A part of a real trace; the file says where it comes from. */
export const SAMPLE_TRACE = path.join(import.meta.dirname, '../../../examples/traces/conversations.jsonl');

/** One request: ids of the blocks of its prompt, the last of which may be shorter. Equal ids are equal prefixes. */
export interface TraceRequest {
  /** Milliseconds from the beginning of the trace. */
  timestamp: number;
  promptTokens: number;
  answerTokens: number;
  blocks: Int32Array;
}

const Unsigned = Type.Integer({ minimum: 0 });
const MooncakeLine = Compile(
  Type.Object({
    timestamp: Type.Number({ minimum: 0 }),
    input_length: Type.Integer({ minimum: 1 }),
    output_length: Unsigned,
    hash_ids: Type.Array(Unsigned),
  }),
);
/** Tokens of prompt and answer, ids as ranges, and when. */
const SampleLine = Compile(
  Type.Tuple([
    Type.Integer({ minimum: 1 }),
    Unsigned,
    Type.String({ pattern: '^\\d+(-\\d+)?(,\\d+(-\\d+)?)*$' }),
    Type.Number({ minimum: 0 }),
  ]),
);
const SourceLine = Compile(Type.Object({ source: Type.String() }));

/**
 * Reads a trace: lines of Mooncake's form (`timestamp`, `input_length`, `output_length`, `hash_ids`), or those of
 * {@link SAMPLE_TRACE}, whose first line says where it comes from.
 *
 * @throws `bad_option` for a file that cannot be read, and for the first line that is neither
 */
export async function readTrace(file: string): Promise<TraceRequest[]> {
  const refuse = (problem: string) => failure('bad_option', { reason: `The trace ${file} ${problem}.` });
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw refuse(`cannot be read (${cause.code})`);
  });
  const requests: TraceRequest[] = [];
  for (const [i, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const value = parsed(line);
    if (SourceLine.Check(value)) continue;
    const request = requestOf(value);
    if (!request) throw refuse(`has a line of another form (line ${i + 1})`);
    if (request.blocks.length * BLOCK < request.promptTokens)
      throw refuse(`has fewer blocks than its prompt is long (line ${i + 1})`);
    requests.push(request);
  }
  if (requests.length === 0) throw refuse('has no request');
  return requests;
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function requestOf(value: unknown): TraceRequest | undefined {
  if (MooncakeLine.Check(value)) {
    const { timestamp, input_length, output_length, hash_ids } = value;
    const blocks = Int32Array.from(hash_ids);
    return { timestamp, promptTokens: input_length, answerTokens: output_length, blocks };
  }
  if (!SampleLine.Check(value)) return undefined;
  const [promptTokens, answerTokens, runs, timestamp] = value;
  return { timestamp, promptTokens, answerTokens, blocks: Int32Array.from(expand(runs)) };
}

function* expand(runs: string): Generator<number> {
  for (const run of runs.split(',')) {
    const [first = 0, last = first] = run.split('-').map(Number);
    for (let id = first; id <= last; id++) yield id;
  }
}
