import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { byteLength, LAYOUTS, type TensorType } from './quantize.ts';

/** A metadata value with its GGUF type. The plural types are arrays. */
export type GgufValue =
  | { readonly type: 'u32' | 'i32' | 'f32'; readonly value: number }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'i32s' | 'f32s'; readonly value: ArrayLike<number> }
  | { readonly type: 'strings'; readonly value: readonly string[] };

export interface GgufTensor {
  readonly name: string;
  /** Dimensions in ggml's order: the row's length first. */
  readonly shape: readonly number[];
  readonly type: TensorType;
  /** The encoded bytes, all rows one after another. Called once, when it is this tensor's turn. */
  readonly data: () => Uint8Array;
}

export interface GgufFile {
  /** Keys in the order in which they are written. */
  readonly metadata: Readonly<Record<string, GgufValue>>;
  readonly tensors: readonly GgufTensor[];
}

const VERSION = 3;
const ALIGNMENT = 32;
/** `enum gguf_metadata_value_type` of the specification; 9 is an array. */
const TYPES = { u32: 4, i32: 5, f32: 6, bool: 7, string: 8, i32s: 5, f32s: 6, strings: 8 } as const;
const ARRAY = 9;

/** Bytes of a tensor's data, without padding. */
function tensorBytes(tensor: GgufTensor): number {
  const [row = 1, ...rest] = tensor.shape;
  return byteLength(tensor.type, row) * rest.reduce((product, size) => product * size, 1);
}

function padding(length: number): number {
  return (ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT;
}

/** Little-endian pieces of the header. */
class Header {
  readonly parts: Buffer[] = [];

  u32(value: number): this {
    const part = Buffer.alloc(4);
    part.writeUInt32LE(value);
    return this.push(part);
  }

  u64(value: number): this {
    const part = Buffer.alloc(8);
    part.writeBigUInt64LE(BigInt(value));
    return this.push(part);
  }

  string(value: string): this {
    const part = Buffer.from(value, 'utf8');
    return this.u64(part.length).push(part);
  }

  numbers(type: 'i32' | 'f32', values: ArrayLike<number>): this {
    const part = Buffer.alloc(4 * values.length);
    for (let i = 0; i < values.length; i++) {
      if (type === 'i32') part.writeInt32LE(values[i]!, 4 * i);
      else part.writeFloatLE(values[i]!, 4 * i);
    }
    return this.push(part);
  }

  value(entry: GgufValue): this {
    const array = entry.type === 'i32s' || entry.type === 'f32s' || entry.type === 'strings';
    if (array) this.u32(ARRAY).u32(TYPES[entry.type]).u64(entry.value.length);
    else this.u32(TYPES[entry.type]);
    switch (entry.type) {
      case 'u32':
        return this.u32(entry.value);
      case 'i32':
      case 'f32':
        return this.numbers(entry.type, [entry.value]);
      case 'bool':
        return this.push(Buffer.from([entry.value ? 1 : 0]));
      case 'string':
        return this.string(entry.value);
      case 'i32s':
        return this.numbers('i32', entry.value);
      case 'f32s':
        return this.numbers('f32', entry.value);
      case 'strings':
        for (const text of entry.value) this.string(text);
        return this;
      default:
        return entry satisfies never;
    }
  }

  push(part: Buffer): this {
    this.parts.push(part);
    return this;
  }
}

function header({ metadata, tensors }: GgufFile): Buffer {
  const entries = Object.entries(metadata);
  const head = new Header();
  head.push(Buffer.from('GGUF')).u32(VERSION).u64(tensors.length).u64(entries.length);
  for (const [key, value] of entries) head.string(key).value(value);
  let offset = 0;
  for (const tensor of tensors) {
    head.string(tensor.name).u32(tensor.shape.length);
    for (const size of tensor.shape) head.u64(size);
    head.u32(LAYOUTS[tensor.type].id).u64(offset);
    const bytes = tensorBytes(tensor);
    offset += bytes + padding(bytes);
  }
  const bytes = Buffer.concat(head.parts);
  return Buffer.concat([bytes, Buffer.alloc(padding(bytes.length))]);
}

async function writeTensor(file: FileHandle, tensor: GgufTensor): Promise<number> {
  const data = tensor.data();
  const expected = tensorBytes(tensor);
  if (data.length !== expected) {
    throw new RangeError(`${tensor.name} has ${data.length} bytes of data, not ${expected}`);
  }
  await file.writeFile(data);
  await file.writeFile(Buffer.alloc(padding(expected)));
  return expected;
}

/**
 * Writes a GGUF file of version 3 (`docs/gguf.md` in the ggml repository), with an alignment of 32 bytes.
 *
 * One tensor at a time is in memory. The bytes go to a new file in the same folder, which takes its real
 * name when it is complete and on the disk: readers, and other writers of the same path, never meet half a
 * file. On an error the new file is removed.
 *
 * @param onProgress called after each tensor with the share of the tensor bytes that is written, 0 to 1
 */
export async function writeGguf(
  path: string,
  content: GgufFile,
  onProgress: (fraction: number) => void = () => {},
): Promise<void> {
  const total = content.tensors.reduce((sum, tensor) => sum + tensorBytes(tensor), 0);
  const temporary = `${path}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  try {
    const file = await open(temporary, 'wx');
    try {
      await file.writeFile(header(content));
      let written = 0;
      for (const tensor of content.tensors) {
        written += await writeTensor(file, tensor);
        onProgress(written / total);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
