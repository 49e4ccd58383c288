import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type GgufFile, type GgufTensor, type GgufValue, writeGguf } from '../../src/models/gguf-writer.ts';
import { byteLength, LAYOUTS, type TensorType } from '../../src/models/quantize.ts';
import { tokenizerMetadata } from '../../src/models/vocabulary.ts';
import { SHAPE } from './shape.ts';
import { demoTokenizer } from './tokenizer.ts';

/** A tensor that train.py wrote: f32 values, the last dimension fastest. */
interface Written {
  readonly name: string;
  readonly shape: readonly number[];
  readonly offset: number;
}

const u32 = (value: number): GgufValue => ({ type: 'u32', value });
const f32 = (value: number): GgufValue => ({ type: 'f32', value });

function tensor({ name, shape, offset }: Written, weights: ArrayBuffer, matrices: TensorType): GgufTensor {
  const type = shape.length > 1 ? matrices : 'f32';
  const [length = 1, ...rest] = shape.toReversed();
  const rows = rest.reduce((product, size) => product * size, 1);
  // The last norm: its outputs are what the logits are made of.
  const scale = name === 'output_norm.weight' ? SHAPE.sharpness : 1;
  const stride = byteLength(type, length);
  const data = (): Uint8Array => {
    const bytes = new Uint8Array(stride * rows);
    const view = new DataView(bytes.buffer);
    for (let row = 0; row < rows; row++) {
      const values = new Float32Array(weights, offset + 4 * row * length, length).map(
        (value) => value * scale,
      );
      LAYOUTS[type].encode(values, view, row * stride);
    }
    return bytes;
  };
  return { name, shape: [length, ...rest], type, data };
}

/** The GGUF file of trained weights. Without `output.weight`, llama.cpp takes the embeddings for both ends. */
function demoModel(folder: string, matrices: TensorType): GgufFile {
  const index: Written[] = JSON.parse(readFileSync(path.join(folder, 'weights.json'), 'utf8'));
  const file = readFileSync(path.join(folder, 'weights.bin'));
  const weights = file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength);
  return {
    metadata: {
      'general.architecture': { type: 'string', value: 'qwen3' },
      'general.name': { type: 'string', value: 'tierkv-demo' },
      'general.file_type': u32({ f32: 0, f16: 1, q4_0: 2, q8_0: 7 }[matrices]),
      'general.quantization_version': u32(2),
      'qwen3.context_length': u32(SHAPE.context),
      'qwen3.embedding_length': u32(SHAPE.width),
      'qwen3.block_count': u32(SHAPE.layers),
      'qwen3.feed_forward_length': u32(SHAPE.ffn),
      'qwen3.attention.head_count': u32(SHAPE.heads),
      'qwen3.attention.head_count_kv': u32(SHAPE.heads),
      'qwen3.attention.layer_norm_rms_epsilon': f32(SHAPE.normEpsilon),
      'qwen3.attention.key_length': u32(SHAPE.width / SHAPE.heads),
      'qwen3.attention.value_length': u32(SHAPE.width / SHAPE.heads),
      'qwen3.rope.freq_base': f32(SHAPE.ropeBase),
      ...tokenizerMetadata(demoTokenizer()),
    },
    tensors: index.map((each) => tensor(each, weights, matrices)),
  };
}

const [folder, output, matrices = 'q8_0'] = process.argv.slice(2);
if (!folder || !output || !(matrices in LAYOUTS)) throw new Error('Usage: export.ts FOLDER FILE [TYPE]');
await writeGguf(output, demoModel(folder, matrices as TensorType));
