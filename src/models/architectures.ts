import type { GgufTensor, GgufValue } from './gguf-writer.ts';
import type { TensorType } from './quantize.ts';
import { type Fill, noise, tensor } from './weights.ts';

/** The families of tensors that can be generated; names as in llama.cpp's `src/models`. */
export type Family = 'llama' | 'qwen2' | 'qwen2vl' | 'olmo2' | 'bert' | 'mamba';

/** A model's dimensions. */
export interface Shape {
  /** Type of the matrices; norms, biases and other small tensors are f32. */
  readonly matrices: TensorType;
  /** Tokens in the vocabulary. */
  readonly vocabulary: number;
  readonly layers: number;
  /** The residual stream's width; a head has `width / heads` of it. */
  readonly width: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly ffn: number;
  /** Longest context in tokens. */
  readonly context: number;
}

export interface Body {
  /** Keys without the architecture's prefix. */
  readonly metadata: Readonly<Record<string, GgufValue>>;
  readonly tensors: readonly GgufTensor[];
}

/** Makes tensors of one model: `matrix` in its type, `small` in f32. */
interface Maker {
  matrix(name: string, rowLength: number, rows: number, gain?: number): GgufTensor;
  small(name: string, shape: number | readonly number[], fill: Fill): GgufTensor;
  norm(name: string, length: number): GgufTensor;
}

function maker(seed: string, shape: Shape): Maker {
  const small: Maker['small'] = (name, size, fill) =>
    tensor(seed, name, 'f32', typeof size === 'number' ? [size] : size, fill);
  return {
    small,
    matrix: (name, rowLength, rows, gain = 1) =>
      tensor(seed, `${name}.weight`, shape.matrices, [rowLength, rows], noise(gain / Math.sqrt(rowLength))),
    norm: (name, length) => small(`${name}.weight`, length, noise(0.1, 1)),
  };
}

const u32 = (value: number): GgufValue => ({ type: 'u32', value });
const f32 = (value: number): GgufValue => ({ type: 'f32', value });

/** Gains over 1 / √(row length). Found by looking at greedy output: it should neither repeat nor be noise. */
const GAIN = {
  /** Queries and keys: attention has to choose, not average. */
  query: 2,
  /** What a layer adds to the residual stream, next to embeddings of deviation 1. */
  residual: 1.5,
  /** The deviation of the logits. */
  output: 3,
};

/**
 * The tensors and the metadata of a family.
 *
 * @param outputScale factor on each token's row of the output matrix, to make some tokens rarer
 */
export function body(
  family: Family,
  shape: Shape,
  seed: string,
  outputScale: (token: number) => number,
): Body {
  const make = maker(seed, shape);
  const blocks = (layer: (prefix: string) => GgufTensor[]): GgufTensor[] =>
    Array.from({ length: shape.layers }, (_, i) => layer(`blk.${i}.`)).flat();
  const embedding = tensor(
    seed,
    'token_embd.weight',
    shape.matrices,
    [shape.width, shape.vocabulary],
    noise(1),
  );
  const output = [
    make.norm('output_norm', shape.width),
    tensor(
      seed,
      'output.weight',
      shape.matrices,
      [shape.width, shape.vocabulary],
      noise(GAIN.output / Math.sqrt(shape.width), 0, outputScale),
    ),
  ];
  const general = {
    context_length: u32(shape.context),
    embedding_length: u32(shape.width),
    block_count: u32(shape.layers),
  };
  if (family === 'mamba') {
    const metadata = { ...general, ...mambaMetadata(shape) };
    return { metadata, tensors: [embedding, ...blocks((prefix) => mamba(make, shape, prefix)), ...output] };
  }
  const attention = {
    ...general,
    feed_forward_length: u32(shape.ffn),
    'attention.head_count': u32(shape.heads),
    'attention.head_count_kv': u32(shape.kvHeads),
  };
  if (family === 'bert') {
    const metadata = { ...attention, ...BERT_METADATA };
    const start = [embedding, ...bertStart(make, shape)];
    return { metadata, tensors: [...start, ...blocks((prefix) => bert(make, shape, prefix))] };
  }
  return {
    metadata: {
      ...attention,
      'attention.layer_norm_rms_epsilon': f32(1e-5),
      'rope.dimension_count': u32(shape.width / shape.heads),
      'rope.freq_base': f32(10_000),
      ...decoderMetadata(family, shape),
    },
    tensors: [embedding, ...blocks((prefix) => decoder(make, family, shape, prefix)), ...output],
  };
}

type Decoder = Exclude<Family, 'bert' | 'mamba'>;

function decoderMetadata(family: Decoder, shape: Shape): Record<string, GgufValue> {
  const half = shape.width / shape.heads / 2;
  switch (family) {
    case 'olmo2':
      return { 'attention.sliding_window': u32(64) };
    case 'qwen2vl':
      // Pairs of a head's dimensions that turn with time, height and width.
      return { 'rope.dimension_sections': { type: 'i32s', value: [half / 2, half / 4, half / 4, 0] } };
    case 'llama':
    case 'qwen2':
      return {};
    default:
      return family satisfies never;
  }
}

function decoder(make: Maker, family: Decoder, shape: Shape, prefix: string): GgufTensor[] {
  const { width, ffn } = shape;
  const kv = (width / shape.heads) * shape.kvHeads;
  const matrices = [
    make.matrix(`${prefix}attn_q`, width, width, GAIN.query),
    make.matrix(`${prefix}attn_k`, width, kv, GAIN.query),
    make.matrix(`${prefix}attn_v`, width, kv),
    make.matrix(`${prefix}attn_output`, width, width, GAIN.residual),
    make.matrix(`${prefix}ffn_gate`, width, ffn),
    make.matrix(`${prefix}ffn_up`, width, ffn),
    make.matrix(`${prefix}ffn_down`, ffn, width, GAIN.residual),
  ];
  if (family === 'olmo2') {
    return [
      ...matrices,
      make.norm(`${prefix}attn_q_norm`, width),
      make.norm(`${prefix}attn_k_norm`, kv),
      make.norm(`${prefix}post_attention_norm`, width),
      make.norm(`${prefix}post_ffw_norm`, width),
    ];
  }
  const norms = [make.norm(`${prefix}attn_norm`, width), make.norm(`${prefix}ffn_norm`, width)];
  if (family === 'llama') return [...matrices, ...norms];
  const biases = [
    make.small(`${prefix}attn_q.bias`, width, noise(0.5)),
    make.small(`${prefix}attn_k.bias`, kv, noise(0.5)),
    make.small(`${prefix}attn_v.bias`, kv, noise(0.2)),
  ];
  return [...matrices, ...biases, ...norms];
}

const BERT_METADATA: Readonly<Record<string, GgufValue>> = {
  'attention.layer_norm_epsilon': f32(1e-5),
  'attention.causal': { type: 'bool', value: false },
  /** The mean of the tokens' vectors (`LLAMA_POOLING_TYPE_MEAN`). */
  pooling_type: u32(1),
};

function bertNorm(make: Maker, name: string, width: number): GgufTensor[] {
  return [make.norm(name, width), make.small(`${name}.bias`, width, noise(0.1))];
}

function bertStart(make: Maker, { width, context }: Shape): GgufTensor[] {
  return [
    make.small('position_embd.weight', [width, context], noise(0.3)),
    make.small('token_types.weight', [width, 2], noise(0.1)),
    ...bertNorm(make, 'token_embd_norm', width),
  ];
}

function bert(make: Maker, { width, ffn }: Shape, prefix: string): GgufTensor[] {
  const linear = (name: string, from: number, to: number): GgufTensor[] => [
    make.matrix(`${prefix}${name}`, from, to),
    make.small(`${prefix}${name}.bias`, to, noise(0.1)),
  ];
  return [
    ...['attn_q', 'attn_k', 'attn_v', 'attn_output'].flatMap((name) => linear(name, width, width)),
    ...bertNorm(make, `${prefix}attn_output_norm`, width),
    ...linear('ffn_up', width, ffn),
    ...linear('ffn_down', ffn, width),
    ...bertNorm(make, `${prefix}layer_output_norm`, width),
  ];
}

/** Mamba's own sizes: a convolution over 4 tokens, 16 states a channel, and steps of rank width / 16. */
const SSM = { kernel: 4, states: 16 };

function mambaMetadata({ width }: Shape): Record<string, GgufValue> {
  return {
    feed_forward_length: u32(0),
    'attention.head_count': u32(0),
    'attention.layer_norm_rms_epsilon': f32(1e-5),
    'ssm.conv_kernel': u32(SSM.kernel),
    'ssm.inner_size': u32(2 * width),
    'ssm.state_size': u32(SSM.states),
    'ssm.time_step_rank': u32(width / 16),
  };
}

function mamba(make: Maker, { width }: Shape, prefix: string): GgufTensor[] {
  const inner = 2 * width;
  const rank = width / 16;
  /** The decay of each state, −1 to −16. */
  const decay: Fill = (row) => row.set(row.map((_, i) => -1 - i));
  return [
    make.norm(`${prefix}attn_norm`, width),
    make.matrix(`${prefix}ssm_in`, width, 2 * inner),
    make.small(`${prefix}ssm_conv1d.weight`, [SSM.kernel, inner], noise(0.5)),
    make.small(`${prefix}ssm_conv1d.bias`, inner, noise(0.1)),
    make.small(`${prefix}ssm_x.weight`, [inner, rank + 2 * SSM.states], noise(1 / Math.sqrt(inner))),
    make.small(`${prefix}ssm_dt.weight`, [rank, inner], noise(1 / Math.sqrt(rank))),
    make.small(`${prefix}ssm_dt.bias`, inner, noise(0.5, -2)),
    make.small(`${prefix}ssm_a`, [SSM.states, inner], decay),
    make.small(`${prefix}ssm_d`, inner, noise(0.1, 1)),
    make.matrix(`${prefix}ssm_out`, inner, width, GAIN.residual),
  ];
}
