import { type Special, type Tokenizer, TokenType } from './bpe.ts';
import { CHAT_TEMPLATE } from './chat-template.ts';
import type { GgufValue } from './gguf-writer.ts';

const END = '<|im_end|>';
const TEXT_END = '<|endoftext|>';

/** The special tokens of every model that the project makes: those that {@link CHAT_TEMPLATE} writes. */
export const SPECIALS: readonly Special[] = [
  { text: TEXT_END, type: TokenType.control },
  { text: '<|im_start|>', type: TokenType.control },
  { text: END, type: TokenType.control },
  { text: '<tool_call>', type: TokenType.userDefined },
  { text: '</tool_call>', type: TokenType.userDefined },
];

/** A GGUF file's entries for a vocabulary with {@link SPECIALS}, and the chat template. */
export function tokenizerMetadata(vocabulary: Tokenizer): Record<string, GgufValue> {
  const end = vocabulary.special(TEXT_END);
  return {
    'tokenizer.ggml.model': { type: 'string', value: 'gpt2' },
    'tokenizer.ggml.pre': { type: 'string', value: 'qwen2' },
    'tokenizer.ggml.tokens': { type: 'strings', value: vocabulary.tokens },
    'tokenizer.ggml.token_type': { type: 'i32s', value: vocabulary.types },
    'tokenizer.ggml.merges': { type: 'strings', value: vocabulary.merges },
    'tokenizer.ggml.bos_token_id': { type: 'u32', value: end },
    'tokenizer.ggml.eos_token_id': { type: 'u32', value: vocabulary.special(END) },
    'tokenizer.ggml.padding_token_id': { type: 'u32', value: end },
    'tokenizer.ggml.add_bos_token': { type: 'bool', value: false },
    'tokenizer.chat_template': { type: 'string', value: CHAT_TEMPLATE },
  };
}
