/**
 * llama.cpp's own speed: its C API in a tight loop on one thread of control, as llama-bench has it. No sampling,
 * no scheduler, no HTTP. Prints one line of JSON per shape.
 */

import { LlamaBatch } from '../../src/engine/llama/batch.ts';
import { findLibrary } from '../../src/engine/llama/library.ts';
import { loadLibrary, silentLog } from '../../src/engine/llama/load.ts';
import { loadModel } from '../../src/engine/llama/model.ts';
import { SequenceLedger } from '../../src/engine/sequence-ledger.ts';
import { uniquePrompt } from '../support/prompts.ts';
import type { Shape, Speed } from '../support/throughput.ts';
import { SETTINGS, SHAPES } from './shapes.ts';

const [modelPath] = process.argv.slice(2);
if (!modelPath) throw new Error('Usage: direct.ts <model>');

const llama = loadLibrary(findLibrary('off'));
llama.llama_log_set(silentLog(), null);
const model = await loadModel(llama, modelPath, { gpuLayers: 0 });
const sequences = Math.max(...SHAPES.map((shape) => shape.requests));
const params = llama.llama_context_default_params();
Object.assign(params, {
  n_ctx: SETTINGS.cells,
  n_batch: SETTINGS.batchTokens,
  n_ubatch: SETTINGS.batchTokens,
  n_seq_max: sequences,
  n_outputs_max: sequences,
  n_threads: SETTINGS.threads,
  n_threads_batch: SETTINGS.threads,
  kv_unified: true,
  flash_attn_type: 1,
});
const context = llama.llama_init_from_model(model, params);
if (context === null) throw new Error('No context.');
const memory = llama.llama_get_memory(context);

for (const shape of SHAPES) {
  measure({ ...shape, answerTokens: 8 });
  process.stdout.write(`${JSON.stringify({ shape, speed: measure(shape) })}\n`);
}

function measure({ requests, promptTokens, answerTokens }: Shape): Speed {
  if (context === null) throw new Error('No context.');
  const vocabulary = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(model));
  const ledger = new SequenceLedger(sequences);
  const batch = new LlamaBatch(SETTINGS.batchTokens, sequences, vocabulary, ledger);
  const flush = () => {
    if (batch.size === 0) return;
    if (llama.llama_decode(context, batch.native) !== 0) throw new Error('llama_decode failed.');
    ledger.commit();
    batch.clear();
  };
  const start = performance.now();
  for (let sequence = 0; sequence < requests; sequence++) {
    uniquePrompt(sequence, promptTokens).forEach((token, position) => {
      if (batch.size === SETTINGS.batchTokens) flush();
      batch.add(token, position, sequence, position === promptTokens - 1);
    });
  }
  flush();
  const prefilled = performance.now();
  for (let step = 1; step < answerTokens; step++) {
    for (let sequence = 0; sequence < requests; sequence++) {
      batch.add(256 + step, promptTokens + step - 1, sequence, true);
    }
    flush();
  }
  const end = performance.now();
  for (let sequence = 0; sequence < requests; sequence++) llama.llama_memory_seq_rm(memory, sequence, -1, -1);
  batch.close();
  return {
    prefill: (requests * promptTokens) / ((prefilled - start) / 1000),
    decode: (requests * (answerTokens - 1)) / ((end - prefilled) / 1000),
  };
}
