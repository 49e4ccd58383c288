import { createHash } from 'node:crypto';
import { body, type Family, type Shape } from './architectures.ts';
import { type Tokenizer, TokenType, train } from './bpe.ts';
import { CHAT_TEMPLATE } from './chat-template.ts';
import { corpus } from './corpus.ts';
import type { GgufFile } from './gguf-writer.ts';
import type { TensorType } from './quantize.ts';
import { SPECIALS, tokenizerMetadata } from './vocabulary.ts';

/** How one model is generated. Its weights are random: it answers with words, not with sense. */
interface Recipe extends Shape {
  readonly family: Family;
  /** `general.architecture`, the family's name when left out. */
  readonly architecture?: string;
}

/** Raise this when other code than a recipe changes a file's bytes; a test compares their hashes. */
const VERSION = 2;

/**
 * Sizes that are no multiple of 4 keep llama.cpp on the CPU to the kernels that compute each token by itself, so the
 * tiny model's logits are the same bits whatever else is in a batch (while fewer than 512 cells are in use): answers
 * can be compared token by token.
 */
const TINY = {
  matrices: 'f16',
  vocabulary: 1024,
  layers: 4,
  width: 198,
  heads: 3,
  kvHeads: 1,
  ffn: 450,
  context: 8192,
} as const;

const SMALL = { ...TINY, layers: 2, width: 128, heads: 2, kvHeads: 2, ffn: 256, context: 2048 } as const;

/** Sizes that every kernel and every type of K and V takes. */
const EVEN = { ...TINY, width: 256, heads: 4, kvHeads: 2, ffn: 512 } as const;

/** Every model that can be made, by name. */
export const RECIPES = {
  /** The one that most tests serve. */
  tiny: { family: 'llama', ...TINY },
  /** With biases on queries, keys and values, in even sizes. */
  'tiny-qwen2': { family: 'qwen2', ...EVEN },
  /** With 4-bit matrices. */
  'tiny-q4': { family: 'llama', ...EVEN, matrices: 'q4_0' },
  /** About 200 million parameters, slow enough to measure. K and V take 24 KiB a token at f16. */
  bench: {
    family: 'llama',
    matrices: 'q8_0',
    vocabulary: 4096,
    layers: 12,
    width: 1024,
    heads: 16,
    kvHeads: 8,
    ffn: 4096,
    context: 32_768,
  },
  /** Three of four layers see a sliding window of 64 tokens. */
  swa: { family: 'olmo2', ...SMALL, layers: 4 },
  /** An encoder: vectors, no next token. */
  embedding: { family: 'bert', ...SMALL, context: 512 },
  /** A recurrent state instead of keys and values. */
  recurrent: { family: 'mamba', ...SMALL },
  /** Positions of several dimensions. */
  mrope: { family: 'qwen2vl', ...SMALL },
  /** An architecture that llama.cpp does not have. */
  'unknown-arch': { family: 'llama', architecture: 'nosucharch', ...SMALL },
} as const satisfies Record<string, Recipe>;

export type ModelName = keyof typeof RECIPES;

/** `llama_ftype` in llama.h. */
const FILE_TYPES: Readonly<Record<TensorType, number>> = { f32: 0, f16: 1, q4_0: 2, q8_0: 7 };

/** Control characters except tab and line feed, and bytes that are only part of a character. */
const UNPRINTABLE = /(?![\t\n])\p{Cc}|\uFFFD/u;

/** The tokenizer of a model: the same merges for all, more of them for a larger vocabulary. */
export function tokenizer(name: ModelName): Tokenizer {
  return train(corpus(), RECIPES[name].vocabulary, SPECIALS);
}

/** The content of a model's file; the weights are computed as they are written. */
export function model(name: ModelName): GgufFile {
  const recipe: Recipe = RECIPES[name];
  const architecture = recipe.architecture ?? recipe.family;
  const vocabulary = tokenizer(name);
  // Random logits would choose all tokens alike: make answers end seldom and be mostly printable.
  const rare = vocabulary.tokens.map((_, id) => {
    return vocabulary.types[id] !== TokenType.normal || UNPRINTABLE.test(vocabulary.decode([id]));
  });
  const { metadata, tensors } = body(recipe.family, recipe, name, (token) => (rare[token] ? 0.75 : 1));
  return {
    metadata: {
      'general.architecture': { type: 'string', value: architecture },
      'general.name': { type: 'string', value: `tierkv-${name}` },
      'general.file_type': { type: 'u32', value: FILE_TYPES[recipe.matrices] },
      'general.quantization_version': { type: 'u32', value: 2 },
      ...Object.fromEntries(
        Object.entries(metadata).map(([key, value]) => [`${architecture}.${key}`, value]),
      ),
      ...tokenizerMetadata(vocabulary),
      ...(recipe.family === 'bert' ? { 'tokenizer.ggml.token_type_count': { type: 'u32', value: 2 } } : {}),
    },
    tensors,
  };
}

/** Eight hexadecimal digits that change with a recipe, the corpus, the template or {@link VERSION}. */
export function fingerprint(name: ModelName): string {
  const parts = [VERSION, name, RECIPES[name], SPECIALS, CHAT_TEMPLATE, corpus()];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 8);
}
