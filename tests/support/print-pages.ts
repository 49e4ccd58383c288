/** A process of its own for the tests: computes a prompt and writes its pages to the standard output. */

import { findLibrary } from '../../src/engine/llama/library.ts';
import { openLlamaEngine } from '../../src/engine/llama/llama-engine.ts';
import { loadLibrary, silentLog } from '../../src/engine/llama/load.ts';

const [options, tokens] = process.argv.slice(2).map((argument) => JSON.parse(argument));
loadLibrary(findLibrary('off')).llama_log_set(silentLog(), null);
const engine = await openLlamaEngine(options);
const prompt: number[] = tokens;
for (const [position, token] of prompt.entries()) engine.batch.add(token, position, 1, false);
await engine.decode();
const { pages } = engine;
if (!pages) throw new Error('This model has no pages.');
const saved = Array.from({ length: prompt.length / pages.tokens }, () => new Uint8Array(pages.bytes));
pages.save(1, 0, saved);
process.stdout.write(Buffer.concat(saved));
await engine.close();
