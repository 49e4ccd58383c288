import { findLibrary } from '../../src/engine/llama/library.ts';
import { loadLibrary, silentLog } from '../../src/engine/llama/load.ts';
import { loadVocabularyOnly } from '../../src/engine/llama/model.ts';
import { Candidates } from '../../src/engine/llama/sampler.ts';
import type { Pointer } from '../../src/engine/llama/structs.ts';
import { ensureModel } from '../../src/models/store.ts';

/** llama.cpp following grammars, with the tiny model's vocabulary. */
export interface NativeGrammars {
  /** The number of characters of a text that the grammar takes, one token each; the whole vocabulary is masked too. */
  walk(gbnf: string, text: string): number;
  close(): void;
}

export async function openNativeGrammars(): Promise<NativeGrammars> {
  const llama = loadLibrary(findLibrary('off'));
  llama.llama_log_set(silentLog(), null);
  const model = loadVocabularyOnly(llama, await ensureModel('tiny'));
  const vocabulary = llama.llama_model_get_vocab(model);
  const size = llama.llama_vocab_n_tokens(vocabulary);
  const candidates = new Candidates(size);
  const logits = new Float32Array(size);
  const tokens = tokensByCharacter(size, (token, buffer) =>
    llama.llama_token_to_piece(vocabulary, token, buffer, buffer.length, 0, false),
  );

  function take(grammar: Pointer, character: string): boolean {
    candidates.fill(logits);
    llama.llama_sampler_apply(grammar, candidates.pointer);
    candidates.fillOne(tokens.get(character)!);
    llama.llama_sampler_apply(grammar, candidates.pointer);
    // The library ends the process when a grammar accepts what it forbids.
    if (!candidates.onePossible) return false;
    llama.llama_sampler_accept(grammar, tokens.get(character)!);
    return true;
  }

  return {
    walk(gbnf, text) {
      const init = llama.llama_sampler_init_grammar as unknown as (...args: unknown[]) => Pointer;
      const grammar = init(vocabulary, gbnf, 'root');
      try {
        let taken = 0;
        for (const character of text) {
          if (!take(grammar, character)) break;
          taken++;
        }
        return taken;
      } finally {
        llama.llama_sampler_free(grammar);
      }
    },
    close() {
      candidates.close();
      llama.llama_model_free(model);
    },
  };
}

/** The tokens of ASCII characters. */
function tokensByCharacter(
  size: number,
  read: (token: number, buffer: Uint8Array) => number,
): ReadonlyMap<string, number> {
  const tokens = new Map<string, number>();
  const buffer = new Uint8Array(64);
  for (let token = 0; token < size; token++) {
    if (read(token, buffer) !== 1) continue;
    const [byte = 0] = buffer;
    if (byte < 0x80) tokens.set(String.fromCharCode(byte), token);
  }
  return tokens;
}
