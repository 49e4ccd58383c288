import type { GgufTensor } from './gguf-writer.ts';
import { byteLength, LAYOUTS, type TensorType } from './quantize.ts';
import { type Random, random } from './random.ts';

/** Sets one row of a tensor; `index` counts its rows. */
export type Fill = (row: Float32Array, index: number, draw: Random) => void;

/**
 * Evenly distributed values around `mean` with the given standard deviation.
 *
 * @param rowScale factor on the deviation of a row, 1 when left out
 */
export function noise(deviation: number, mean = 0, rowScale: (index: number) => number = () => 1): Fill {
  // Two values of 16 bits from each draw: 200 million weights have to take seconds.
  const step = (deviation * Math.sqrt(12)) / 0x1_0000;
  return (row, index, draw) => {
    const scale = step * rowScale(index);
    for (let i = 0; i < row.length; i += 2) {
      const bits = draw.bits();
      row[i] = mean + ((bits & 0xffff) - 32767.5) * scale;
      row[i + 1] = mean + ((bits >>> 16) - 32767.5) * scale;
    }
  };
}

/**
 * A tensor of seeded values. Its numbers depend on the seed and its own name only, not on its place in the file.
 *
 * @param shape dimensions in ggml's order, the row's length first
 */
export function tensor(
  seed: string,
  name: string,
  type: TensorType,
  shape: readonly number[],
  fill: Fill,
): GgufTensor {
  const data = (): Uint8Array => {
    const draw = random(`${seed}/${name}`);
    const [length = 1, ...rest] = shape;
    const rows = rest.reduce((product, size) => product * size, 1);
    const stride = byteLength(type, length);
    const bytes = new Uint8Array(stride * rows);
    const view = new DataView(bytes.buffer);
    const row = new Float32Array(length);
    for (let i = 0; i < rows; i++) {
      fill(row, i, draw);
      LAYOUTS[type].encode(row, view, i * stride);
    }
    return bytes;
  };
  return { name, type, shape, data };
}
