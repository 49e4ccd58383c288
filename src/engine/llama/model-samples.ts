import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { gguf } from '@huggingface/gguf';
import { failure } from '../../shared/errors.ts';

/** What a disk reads at once anyway. */
const BLOCK = 4096;
/** Reads of one file: half a minute on a rotating disk, a moment on any other. */
const READS = 4096;
/** Blocks of one tensor, at most. */
const MOST_BLOCKS = 16;
/** Its first and its last block, at least. */
const FEWEST_BLOCKS = 2;
const READS_AT_ONCE = 32;
/** Headers hold the vocabulary: some megabytes. */
const HEADER_PORTION = 1 << 20;

interface Range {
  start: number;
  length: number;
}

/** Where a GGUF file's header ends and its tensors lie. */
interface Layout {
  headerBytes: number;
  tensors: Range[];
}

/**
 * SHA-256, in hex, of a GGUF file's header, which has all metadata and every tensor's name, type and shape, and of
 * evenly spaced blocks of every tensor, its first and its last among them. Tensors of a few blocks are read whole. The
 * number of reads does not grow with the file's size.
 *
 * @param onProgress the share that was read, 0 to 1
 * @throws `model_file` when the file is not sound; what reading threw; the signal's reason
 */
export async function hashSamples(
  path: string,
  signal: AbortSignal | undefined,
  onProgress: (fraction: number) => void,
): Promise<string> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const { headerBytes, tensors } = await layoutOf(path, size);
    const ranges = [...portions(headerBytes), ...sampleRanges(tensors)];
    const hash = createHash('sha256');
    for (let i = 0; i < ranges.length; i += READS_AT_ONCE) {
      signal?.throwIfAborted();
      const some = ranges.slice(i, i + READS_AT_ONCE);
      for (const block of await Promise.all(some.map((range) => readRange(file, range)))) hash.update(block);
      onProgress(Math.min(1, (i + READS_AT_ONCE) / ranges.length));
    }
    return hash.digest('hex');
  } finally {
    await file.close();
  }
}

async function layoutOf(path: string, size: number): Promise<Layout> {
  const { tensorDataOffset, tensorInfoByteRange, tensorInfos } = await gguf(path, {
    allowLocalFile: true,
  }).catch((cause: unknown) => {
    const reason = `the header cannot be read: ${cause instanceof Error ? cause.message : cause}`;
    throw failure('model_file', { path, reason }, { cause });
  });
  const headerBytes = Number(tensorDataOffset);
  const starts = tensorInfos
    .map(({ offset }) => headerBytes + Number(offset))
    .sort((one, other) => one - other);
  // The parser reads zeros where a file has ended.
  if (tensorInfoByteRange[1] > size || (starts.at(-1) ?? 0) >= size) {
    throw failure('model_file', { path, reason: 'the file ends before its last tensor' });
  }
  // A tensor reaches to the next one: so its size needs no knowledge of its type.
  const tensors = starts.map((start, i) => ({ start, length: (starts[i + 1] ?? size) - start }));
  return { headerBytes: Math.min(headerBytes, size), tensors };
}

function portions(bytes: number): Range[] {
  return Array.from({ length: Math.ceil(bytes / HEADER_PORTION) }, (_, i) => ({
    start: i * HEADER_PORTION,
    length: Math.min(HEADER_PORTION, bytes - i * HEADER_PORTION),
  }));
}

/** Which bytes of a file's tensors are looked at. */
export function sampleRanges(tensors: readonly Range[]): Range[] {
  const share = Math.floor(READS / Math.max(1, tensors.length));
  const blocks = Math.min(MOST_BLOCKS, Math.max(FEWEST_BLOCKS, share));
  return tensors.flatMap((tensor) => {
    if (tensor.length <= blocks * BLOCK) return [tensor];
    const last = tensor.length - BLOCK;
    return Array.from({ length: blocks }, (_, i) => ({
      start: tensor.start + Math.floor((last / (blocks - 1)) * i),
      length: BLOCK,
    }));
  });
}

async function readRange(file: FileHandle, { start, length }: Range): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, start + filled);
    if (bytesRead === 0) throw new Error('the file became shorter');
    filled += bytesRead;
  }
  return buffer;
}
