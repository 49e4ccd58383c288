import { failure } from '../../shared/errors.ts';
import type { Engine } from '../engine.ts';
import type { Llama } from './functions.ts';
import type { Pointer } from './structs.ts';

/** First word of a sequence's state in llama.cpp 0.5.0. */
const STATE_MAGIC = 0xaf143cd8;
const MOST_TOKENS = 8;

/**
 * Saves the state of a few computed tokens, restores it and saves it again. Both must be the same bytes in the
 * layout that pages are cut from; a library that answers anything else would give wrong tokens later.
 * Leaves the engine empty.
 *
 * @throws `library_mismatch`
 */
export async function checkStateRoundTrip(llama: Llama, context: Pointer, engine: Engine): Promise<void> {
  const mismatch = (reason: string) => failure('library_mismatch', { reason });
  const count = Math.min(MOST_TOKENS, engine.limits.batchTokens);
  engine.batch.clear();
  for (let position = 0; position < count; position++) {
    engine.batch.add(position % engine.model.vocabularySize, position, 0, position === count - 1);
  }
  if ((await engine.decode()) !== 'done') throw mismatch('the first batch was not computed');
  const saved = saveState(llama, context);
  engine.truncateSequence(0, 0);

  const header = new DataView(saved.buffer);
  // u32 magic, i32 sequence, u32 streams, u32 cells.
  if (header.getUint32(0, true) !== STATE_MAGIC) throw mismatch('a sequence state starts with another word');
  const [streams, cells] = [header.getUint32(8, true), header.getUint32(12, true)];
  if (streams !== 1 || cells !== count)
    throw mismatch(`${count} tokens gave ${streams} streams of ${cells} cells`);

  if (llama.llama_state_seq_set_data(context, saved, saved.length, 0) !== saved.length) {
    throw mismatch('a saved state was not taken back');
  }
  const restored = saveState(llama, context);
  const memory = llama.llama_get_memory(context);
  llama.llama_memory_seq_rm(memory, 0, -1, -1);
  if (Buffer.compare(saved, restored) !== 0) throw mismatch('a state changed by saving and restoring it');
}

function saveState(llama: Llama, context: Pointer): Uint8Array<ArrayBuffer> {
  const state = new Uint8Array(llama.llama_state_seq_get_size(context, 0));
  const written = llama.llama_state_seq_get_data(context, state, state.length, 0);
  return state.subarray(0, written).slice();
}
